# What every target is built with. The few options a user may set have LLAMAGPU_ names.
option(LLAMAGPU_WARNINGS_AS_ERRORS "Make warnings errors" OFF)
option(LLAMAGPU_FUZZERS "Build the libFuzzer programs (clang only)" OFF)
set(LLAMAGPU_SANITIZERS "" CACHE STRING "Value for -fsanitize=, empty for none")
option(LLAMAGPU_COVERAGE "Build with clang source coverage" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()


# -ffp-contract=off: a product and a sum are fused only where a kernel says so, or the same source
# would give other bits in another function, and a row's result must not depend on its path.
add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -ffp-contract=off)
if(LLAMAGPU_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wshadow -Wthread-safety)
endif()
if(LLAMAGPU_SANITIZERS)
  add_compile_options("-fsanitize=${LLAMAGPU_SANITIZERS}" -fno-omit-frame-pointer -fno-sanitize-recover=all)
  string(REPLACE "fuzzer-no-link" "" link_sanitizers "${LLAMAGPU_SANITIZERS}")
  string(REGEX REPLACE "(^,+|,+$)" "" link_sanitizers "${link_sanitizers}")
  add_link_options("-fsanitize=${link_sanitizers}")
endif()
if(LLAMAGPU_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
