# Runs the example `temperature` as a user does: what it prints, which files it reads, what it refuses.
#
#   cmake -DTEMPERATURE=<program> -DDATA_DIR=<examples/data> -DWORK_DIR=<scratch> -P temperature_cli.cmake

cmake_minimum_required(VERSION 3.16)
foreach(name TEMPERATURE DATA_DIR WORK_DIR)
  if(NOT DEFINED ${name})
    message(FATAL_ERROR "give -D${name}=...")
  endif()
endforeach()

file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}/a directory")

# Sets status, out and err.
macro(run)
  execute_process(COMMAND "${TEMPERATURE}" ${ARGN} WORKING_DIRECTORY "${WORK_DIR}"
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
  string(REPLACE "\r" "" out "${out}")
  string(REPLACE "\r" "" err "${err}")
endmacro()

function(expect_success)
  run(${ARGN})
  if(NOT status EQUAL 0 OR NOT err STREQUAL "")
    message(SEND_ERROR "temperature ${ARGN}: status ${status}, stderr '${err}'")
  endif()
  string(TOLOWER "${out}" lower)
  if(lower MATCHES "[^a-z](nan|inf)[^a-z]")
    message(SEND_ERROR "temperature ${ARGN} prints a number that is not finite:\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

function(expect_line regex)
  if(NOT out MATCHES "${regex}")
    message(SEND_ERROR "no line '${regex}' in:\n${out}")
  endif()
endfunction()

# One line on stderr that holds `text`, status 2, and nothing else.
function(expect_refusal text)
  run(${ARGN})
  string(FIND "${err}" "${text}" found)
  if(NOT status EQUAL 2 OR NOT out STREQUAL "" OR found EQUAL -1
     OR NOT err MATCHES "^temperature: [^\n]+\n$")
    message(SEND_ERROR "temperature ${ARGN} must say '${text}':\n"
                       "status ${status}\nstdout '${out}'\nstderr '${err}'")
  endif()
endfunction()

# The worked example, and what must hold on any platform in training. The unconstrained runs amplify
# rounding errors, so their digits are not compared.
expect_success()
set(default_out "${out}")
expect_line("before +100 +-3000 +-1000 +0 +100 +500\n")
expect_line("max_norm\\(W\\) +1 +-3000 +-2980 +-2970 +-2969 +-2965\n")
expect_line("max_norm\\(W, rein::tied\\(b\\)\\) +1 +-30 +-10 +0 +1 +5\n")
expect_line("norm was 100 and the limit is 1. Rescaling w alone keeps 2 of the 4")
expect_line("b tied to it 4 of 4")
expect_line("w = 50 and x = 2 give 100; under a limit of 10, w = 10 and y = 20\\.")
expect_line("153 days, 27 of them hot \\(above 30 C\\)")
expect_line("weight norm, last +[0-9.]+ +1\\.00 +[0-9.]+ +1\\.00\n")
expect_line("held-out log loss \\*, mean +[0-9.]+ +0\\.4[0-9] +[0-9.]+ +0\\.4[0-9]\n")
expect_line("held-out accuracy \\*, mean +0\\.7[0-9] +0\\.8[0-9] +0\\.7[0-9] +0\\.8[0-9]\n")
expect_line("What to see: max-norm turns")
expect_line("Why: wrong labels")

expect_success(--help)
foreach(option --data --column --unit --threshold --limit --csv --help)
  expect_line("${option}")
endforeach()

# Other settings.
expect_success(--limit 1000)
expect_line("nothing. The weights never reached the limit")
expect_success(--limit 0)
expect_line("weight norm, last +[0-9.]+ +0\\.00 ")
expect_success(--threshold 100)
expect_line("153 days, 0 of them hot")
expect_success(--threshold -1e2)
expect_line("153 days, 153 of them hot")
expect_success(--data "${DATA_DIR}/nottingham_1920_1939.csv" --threshold 14)
expect_line("240 days")

# The same days in a file as other programs write it.
file(STRINGS "${DATA_DIR}/laguardia_1973.csv" rows REGEX "^[0-9]")
string(ASCII 239 187 191 byte_order_mark)
set(text "${byte_order_mark}\r\n\"day, in May\" , \"Max \"\"Temp\"\"_F\"\r\n\r\n")
foreach(row IN LISTS rows)
  string(REGEX REPLACE "^.*,([^,]*)$" "\\1" fahrenheit "${row}")
  string(APPEND text "\"1, or 2\",  ${fahrenheit}\t\r\n")
endforeach()
string(APPEND text "9,NA\r\n9,\r\n9\r\n , \r\n9,nan")
file(WRITE "${WORK_DIR}/a directory/other.csv" "${text}")
expect_success(--data "a directory/other.csv")
if(NOT out STREQUAL default_out)
  message(SEND_ERROR "the same days give another result:\n${out}")
endif()

set(text "temp_min,temp_max\n")
foreach(i RANGE 1 12)
  string(APPEND text "${i},1${i}.5\n")
endforeach()
file(WRITE "${WORK_DIR}/celsius.csv" "${text}")
expect_success(--data celsius.csv --column temp_max --unit C --threshold 18)
expect_line("12 days, 5 of them hot")
expect_success(--data celsius.csv --column temp_max --unit f --threshold 0)
expect_line("12 days, 3 of them hot")

# All temperatures the same: nothing to standardise by.
string(REPEAT "20\n" 10 text)
file(WRITE "${WORK_DIR}/same.csv" "temp_c\n${text}")
expect_success(--data same.csv)

# The learning curves.
expect_success(--csv curves.csv)
if(NOT out STREQUAL default_out)
  message(SEND_ERROR "--csv changes the output:\n${out}")
endif()
file(STRINGS "${WORK_DIR}/curves.csv" rows)
list(LENGTH rows count)
list(GET rows 0 header)
if(NOT count EQUAL 10001 OR NOT header STREQUAL "split,optimizer,constraint,step,weight_norm,\
train_loss,heldout_loss,train_accuracy,heldout_accuracy,slope,intercept")
  message(SEND_ERROR "curves.csv: ${count} lines, header '${header}'")
endif()
foreach(row IN LISTS rows)
  if(row MATCHES "max-norm,[0-9]+,([^,]*)," AND CMAKE_MATCH_1 GREATER 1)
    message(SEND_ERROR "curves.csv: beyond the limit: ${row}")
  endif()
endforeach()

# Refusals leave the files alone.
file(WRITE "${WORK_DIR}/kept.csv" "kept")
expect_refusal("--limit is '-1'; it must be a finite number >= 0" --limit -1 --csv kept.csv)
expect_refusal("'a directory': is not a file" --csv "a directory")
expect_refusal("'nowhere/curves.csv': cannot be written" --csv nowhere/curves.csv)
expect_refusal("must not be the data" --data celsius.csv --column temp_max --unit C
  --csv ./celsius.csv)
file(READ "${WORK_DIR}/kept.csv" kept)
file(GLOB partial "${WORK_DIR}/*.partial" "${WORK_DIR}/a directory/*.partial")
if(NOT kept STREQUAL "kept" OR NOT partial STREQUAL "")
  message(SEND_ERROR "kept.csv: '${kept}', partial files: '${partial}'")
endif()

foreach(bad nan inf -inf 1x x 0x10 1e999 1,5 --1 1.2.3 e)
  expect_refusal("--limit is '${bad}'; it must be a finite number >= 0" --limit ${bad})
  expect_refusal("--threshold is '${bad}'; it must be a finite number" --threshold ${bad})
endforeach()
expect_refusal("--threshold is ' 1'" --threshold " 1")
expect_refusal("--unit is 'K'; it must be F or C" --unit K)
expect_refusal("unknown option '--speed'" --speed 3)
expect_refusal("unknown option 'file.csv'" file.csv)
expect_refusal("--data needs a value" --data)
expect_refusal("--data needs a value" --data --limit 3)
expect_refusal("--csv needs a value" --limit 3 --csv)

function(expect_refused_data text content)
  file(WRITE "${WORK_DIR}/bad.csv" "${content}")
  expect_refusal("'bad.csv': ${text}" --data bad.csv ${ARGN})
endfunction()

string(REPEAT "1,20\n" 12 good)
expect_refusal("'missing.csv': cannot be read" --data missing.csv)
expect_refusal("'a directory': " --data "a directory")
expect_refused_data("has 0 temperatures; it must have at least 10" "")
expect_refused_data("has 0 temperatures" "day,temp_c\n1,NA\n2,\n")
expect_refused_data("has 9 temperatures" "day,temp_c\n1\n1,1\n1,2\n1,3\n1,4\n1,5\n1,6\n1,7\n1,8\n1,9")
expect_refused_data("0 columns have \"temp\" in their name" "day,wind\n${good}")
expect_refused_data("2 columns have \"temp\" in their name" "temp_c,Temp_F\n${good}")
expect_refused_data("0 columns are named 'noon'" "day,temp_c\n${good}" --column noon)
expect_refused_data("the unit of column 'temp' is unknown" "day,temp\n${good}")
expect_refused_data("line 14: 'twenty' is not a temperature" "day,temp_c\n${good}13,twenty\n")
expect_refused_data("line 14: '-9999' is not a temperature" "day,temp_c\n${good}13,-9999\n")

# A full disk.
if(EXISTS /dev/full)
  execute_process(COMMAND "${TEMPERATURE}" OUTPUT_FILE /dev/full
    RESULT_VARIABLE status ERROR_VARIABLE err)
  if(status EQUAL 0 OR NOT err MATCHES "cannot be written")
    message(SEND_ERROR "output to a full device: status ${status}, stderr '${err}'")
  endif()
endif()
