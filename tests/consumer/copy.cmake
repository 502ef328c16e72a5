# Copies rein's headers and the consumer's sources to BUILD_DIR, builds them there with one plain
# compiler command, and runs the program; then so that it must end with rein's message.

file(REMOVE_RECURSE ${BUILD_DIR})
file(COPY ${REIN_INCLUDE_DIR} ${CMAKE_CURRENT_LIST_DIR}/ DESTINATION ${BUILD_DIR})
execute_process(
  COMMAND ${COMPILER} -std=c++20 ${FLAGS} -I include -I ${EIGEN_INCLUDE_DIR}
          main.cpp layer.cpp -o consumer
  WORKING_DIRECTORY ${BUILD_DIR}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ./consumer WORKING_DIRECTORY ${BUILD_DIR} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ./consumer refused WORKING_DIRECTORY ${BUILD_DIR}
                RESULT_VARIABLE status ERROR_VARIABLE errors)
if(NOT status STREQUAL "Subprocess aborted" OR NOT errors MATCHES "rein::MaxNorm: limit is -1")
  message(FATAL_ERROR "ended with ${status} and without the message: ${errors}")
endif()
