# The programs that must not compile do compile where MISUSE is not defined: all of them at once, in a
# namespace each.

file(GLOB sources ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
set(program "#include <vector>\n#include <Eigen/Core>\n#include <rein/rein.hpp>\n#include <rein/tensor.hpp>\n")
foreach(source IN LISTS sources)
  cmake_path(GET source STEM name)
  string(APPEND program "namespace ${name} {\n#include \"${source}\"\n}\n")
endforeach()
file(WRITE ${BUILD_DIR}/misuse_controls.cpp "${program}")

execute_process(
  COMMAND ${COMPILER} -std=c++20 -fsyntax-only -I ${REIN_INCLUDE_DIR} -isystem ${EIGEN_INCLUDE_DIR}
          ${BUILD_DIR}/misuse_controls.cpp
  COMMAND_ERROR_IS_FATAL ANY)
