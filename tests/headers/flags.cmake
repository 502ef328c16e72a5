# Two translation units with different flags in one program, linked in either order. What Eigen's
# own rule forbids (docs/integration.md) is not tried: another -march or another alignment.

function(build_part name flags)
  separate_arguments(flags UNIX_COMMAND "${flags}")
  execute_process(
    COMMAND ${COMPILER} -std=c++20 ${flags} -DPART=${name} -I ${REIN_INCLUDE_DIR}
            -isystem ${EIGEN_INCLUDE_DIR} -c ${CMAKE_CURRENT_LIST_DIR}/flags.cpp
            -o ${BUILD_DIR}/flags_${name}.o
    COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(pair "-O0|-O3 -DNDEBUG" "-O2|-O2 -ffast-math" "-O1|-O1 -fno-exceptions -fno-rtti")
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 one)
  list(GET pair 1 other)
  build_part(first "${one}")
  build_part(second "${other}")
  foreach(order "first;second" "second;first")
    list(TRANSFORM order REPLACE "(.+)" "${BUILD_DIR}/flags_\\1.o" OUTPUT_VARIABLE objects)
    execute_process(
      COMMAND ${COMPILER} -std=c++20 ${CMAKE_CURRENT_LIST_DIR}/flags.cpp ${objects}
              -o ${BUILD_DIR}/flags
      COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${BUILD_DIR}/flags RESULT_VARIABLE status OUTPUT_VARIABLE output)
    message("${one} and ${other}, ${order}: ${output}")
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "wrong")
    endif()
  endforeach()
endforeach()
