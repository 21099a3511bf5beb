# Everything under api/ is declared once there; this target writes the C++ made from it.
set(LLAMAGPU_GENERATED_DIR "${CMAKE_BINARY_DIR}/generated")
find_program(LLAMAGPU_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
file(GLOB api_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/api/*.yaml")
file(GLOB_RECURSE api_generator CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/scripts/generate/*.py")
add_custom_command(
  OUTPUT "${LLAMAGPU_GENERATED_DIR}/stamp"
  COMMAND "${LLAMAGPU_PYTHON}" "${CMAKE_SOURCE_DIR}/scripts/generate/main.py" --api
          "${CMAKE_SOURCE_DIR}/api" --out "${LLAMAGPU_GENERATED_DIR}"
  COMMAND "${CMAKE_COMMAND}" -E touch "${LLAMAGPU_GENERATED_DIR}/stamp"
  DEPENDS ${api_sources} ${api_generator}
  VERBATIM)
add_custom_target(generate_api DEPENDS "${LLAMAGPU_GENERATED_DIR}/stamp")
