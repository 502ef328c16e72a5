# Fails unless PROGRAM prints the contents of EXPECTED.
cmake_minimum_required(VERSION 3.22)

execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
file(READ ${EXPECTED} expected)
string(REPLACE "\r" "" printed "${printed}")
string(REPLACE "\r" "" expected "${expected}")
if(NOT printed STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} printed\n${printed}\ninstead of\n${expected}")
endif()
