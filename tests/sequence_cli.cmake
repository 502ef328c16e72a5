# Runs the example `sequence`: what must hold on any platform. Its first lines are exact; where
# training diverges, rounding errors are amplified, and where it does not, digits may still differ.
#
#   cmake -DSEQUENCE=<program> -P sequence_cli.cmake

cmake_minimum_required(VERSION 3.16)

execute_process(COMMAND "${SEQUENCE}" RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(NOT status EQUAL 0 OR NOT err STREQUAL "")
  message(FATAL_ERROR "sequence: status ${status}, stderr '${err}'")
endif()

function(expect_line regex)
  if(NOT out MATCHES "${regex}")
    message(SEND_ERROR "no line '${regex}' in:\n${out}")
  endif()
endfunction()

expect_line("60 months to learn from, 180 held out\\.")
expect_line("1\\.48 \\(the month's mean\\), 1\\.76 \\(last year's month\\), 4\\.86 \\(always the mean\\)")

# error, worst, norm, diverged
expect_line(" 0\\.01  nothing +1\\.[45][0-9] +1\\.[56][0-9] +1\\.[23][0-9] +0 of 10\n")
expect_line(" 0\\.1  nothing +[12]\\.[089][0-9] +2\\.[0-3][0-9] +2\\.[0-9]+ +0 of 10\n")
expect_line(" 0\\.1  weight decay 0\\.01 +1\\.[456][0-9] +1\\.[5-7][0-9] +1\\.[12][0-9] +0 of 10\n")
expect_line(" 0\\.1  max-norm 2 +[12]\\.[089][0-9] +2\\.[0-3][0-9] +2\\.00 +0 of 10\n")
expect_line(" 0\\.1  max-norm 1 +1\\.[67][0-9] +1\\.[678][0-9] +1\\.00 +0 of 10\n")
expect_line(" 0\\.1  max-norm 0\\.5 +1\\.[345][0-9] +1\\.[45][0-9] +0\\.500 +0 of 10\n")
expect_line(" 0\\.7  nothing +[^ ]+ +[^ ]+ +[^ ]+ +([5-9]|10) of 10\n")
expect_line(" 0\\.7  gradient clipped to 0\\.1 +[12]\\.[0-9]+ +2\\.[0-9]+ +[23]\\.[0-9]+ +0 of 10\n")
expect_line(" 0\\.7  max-norm 2 +[^ ]+ +[^ ]+ +2\\.00 +[1-9][0-9]* of 10\n")
expect_line(" 0\\.7  max-norm 1 +1\\.[789][0-9] +[12]\\.[0-9]+ +1\\.00 +0 of 10\n")
expect_line(" 0\\.7  max-norm 0\\.5 +1\\.[456][0-9] +[12]\\.[0-9]+ +0\\.500 +0 of 10\n")
