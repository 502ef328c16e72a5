# Copies rein's headers and the consumer's sources to BUILD_DIR, builds them there with one plain
# compiler command, and runs the program.

file(REMOVE_RECURSE ${BUILD_DIR})
file(COPY ${REIN_INCLUDE_DIR} ${CMAKE_CURRENT_LIST_DIR}/ DESTINATION ${BUILD_DIR})
execute_process(
  COMMAND ${COMPILER} -std=c++20 ${FLAGS} -I include -I ${EIGEN_INCLUDE_DIR}
          main.cpp layer.cpp -o consumer
  WORKING_DIRECTORY ${BUILD_DIR}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ./consumer WORKING_DIRECTORY ${BUILD_DIR} COMMAND_ERROR_IS_FATAL ANY)
