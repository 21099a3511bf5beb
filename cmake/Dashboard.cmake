# embed_dashboard(TARGET): the built dashboard (build/web, by scripts/build_web.sh) as bytes of the target.
function(embed_dashboard target)
  set(web "${CMAKE_SOURCE_DIR}/build/web")
  set(out "${CMAKE_CURRENT_BINARY_DIR}/dashboard")
  if(NOT EXISTS "${web}/.built")
    file(WRITE "${web}/.built" "nothing was built\n")
  endif()
  add_custom_command(
    OUTPUT "${out}/dashboard_assets.S" "${out}/dashboard_assets.gen.cc"
    COMMAND "${LLAMAGPU_PYTHON}" "${CMAKE_SOURCE_DIR}/scripts/generate_assets.py" "${web}" "${out}"
    DEPENDS "${web}/.built" "${CMAKE_SOURCE_DIR}/scripts/generate_assets.py"
    VERBATIM)
  target_sources(${target} PRIVATE "${out}/dashboard_assets.S" "${out}/dashboard_assets.gen.cc")
  # The assembler file names the bytes, which it does not depend on by itself.
  set_source_files_properties("${out}/dashboard_assets.S" PROPERTIES OBJECT_DEPENDS "${web}/.built")
endfunction()
