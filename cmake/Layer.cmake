# layer(NAME [USES layer...] [LIBS target...] [TEST_LIBS target...] [TEST_LABEL label])
#
# Makes the library `NAME` from every .cc of the folder, and `NAME_test` from every _test.cc. USES is
# the layering rule: scripts/check_layers.py fails the build where an include goes elsewhere. TEST_LIBS is linked
# by the tests only; TEST_LABEL is their ctest label, as in layer_test.
function(layer name)
  cmake_parse_arguments(ARG "" "TEST_LABEL" "USES;LIBS;TEST_LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.cc")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "/isa/|/main\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/include"
                             "${LLAMAGPU_GENERATED_DIR}")
  target_link_libraries(${name} ${scope} ${ARG_USES} ${ARG_LIBS} Threads::Threads)
  add_dependencies(${name} generate_api)
  if(tests)
    layer_test(${name}_test SOURCES ${tests} LIBS ${name} ${ARG_TEST_LIBS} LABEL ${ARG_TEST_LABEL})
  endif()
endfunction()

# layer_test(NAME SOURCES file... LIBS target... [LABEL label]): a gtest program whose cases ctest knows one by
# one, under the label `unit` where no other is given.
function(layer_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE LLAMAGPU_TESTDATA="${CMAKE_SOURCE_DIR}/tests")
  gtest_discover_tests(${name} NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 LABELS ${ARG_LABEL})
endfunction()
