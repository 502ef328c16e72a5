# Fails if the consumer in BUILD_DIR was compiled with anything but include directories and the
# language standard, if a path in the directory STRANGER took part, or if rein is installed along
# with the consumer.

file(READ ${BUILD_DIR}/compile_commands.json commands)
string(REGEX MATCHALL "\"command\": \"[^\"]+\"" commands "${commands}")
list(LENGTH commands count)
if(count LESS 2)
  message(FATAL_ERROR "expected two compiler commands: ${commands}")
endif()

foreach(command IN LISTS commands)
  if(STRANGER AND command MATCHES "[ I]${STRANGER}[ /]")
    message(FATAL_ERROR "${STRANGER} took part: ${command}")
  endif()
  string(REGEX REPLACE " -(isystem|isysroot|arch|o|c) [^ \"]+" "" flags "${command}")
  string(REGEX REPLACE " -(I[^ ]+|std=(c|gnu)\\+\\+2.)" "" flags "${flags}")
  if(flags MATCHES " -")
    message(FATAL_ERROR "more than include directories and the standard: ${command}")
  endif()
endforeach()

execute_process(
  COMMAND ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${BUILD_DIR}/prefix
  COMMAND_ERROR_IS_FATAL ANY)
if(EXISTS ${BUILD_DIR}/prefix)
  message(FATAL_ERROR "rein was installed along with the consumer")
endif()
