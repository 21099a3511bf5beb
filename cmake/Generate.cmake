# Everything under api/ is declared once there; this target writes the C++ made from it.
set(LLAMAGPU_GENERATED_DIR "${CMAKE_BINARY_DIR}/generated")
find_program(LLAMAGPU_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
file(GLOB api_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/api/*.yaml")
file(GLOB_RECURSE api_generator CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/scripts/generate/*.py")
set(generate "${LLAMAGPU_PYTHON}" "${CMAKE_SOURCE_DIR}/scripts/generate/main.py" --api "${CMAKE_SOURCE_DIR}/api"
             --out "${LLAMAGPU_GENERATED_DIR}")
# Once now, to learn what is made: a header that ninja does not know as made leaves its users stale for a build.
execute_process(COMMAND ${generate} COMMAND_ERROR_IS_FATAL ANY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${api_generator})
file(GLOB_RECURSE generated_headers "${LLAMAGPU_GENERATED_DIR}/*.gen.h")
add_custom_command(
  OUTPUT "${LLAMAGPU_GENERATED_DIR}/stamp"
  BYPRODUCTS ${generated_headers}
  COMMAND ${generate}
  COMMAND "${CMAKE_COMMAND}" -E touch "${LLAMAGPU_GENERATED_DIR}/stamp"
  DEPENDS ${api_sources} ${api_generator}
  VERBATIM)
add_custom_target(generate_api DEPENDS "${LLAMAGPU_GENERATED_DIR}/stamp")
