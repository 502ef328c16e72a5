# With MISUSE defined, the compiler must refuse SOURCE in at most 20 lines that hold the sentence (a
# regular expression) after the file's "// refused:". That it compiles without is what controls.cmake
# sees to.

file(STRINGS ${SOURCE} sentence REGEX "^// refused: ")
string(REPLACE "// refused: " "" sentence "${sentence}")
if(NOT sentence)
  message(FATAL_ERROR "${SOURCE} has no line \"// refused: sentence\"")
endif()

set(compile ${COMPILER} -std=c++20 -fsyntax-only -I ${REIN_INCLUDE_DIR} -isystem ${EIGEN_INCLUDE_DIR}
  ${SOURCE})

execute_process(COMMAND ${compile} -DMISUSE RESULT_VARIABLE status ERROR_VARIABLE output)
message("${output}")
if(status EQUAL 0)
  message(FATAL_ERROR "the misuse compiles")
endif()
if(NOT output MATCHES "${sentence}")
  message(FATAL_ERROR "the error does not say \"${sentence}\"")
endif()
string(REGEX MATCHALL "\n" lines "${output}")
list(LENGTH lines lines)
if(lines GREATER 20)
  message(FATAL_ERROR "${lines} lines are too many")
endif()
