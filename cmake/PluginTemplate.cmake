# embed_plugin_template(TARGET): the files that `llama-gpu plugin new` writes (sdk/python) as part of the target.
function(embed_plugin_template target)
  set(sdk "${CMAKE_SOURCE_DIR}/sdk/python")
  set(out "${CMAKE_CURRENT_BINARY_DIR}/plugin_template.gen.cc")
  file(GLOB_RECURSE files CONFIGURE_DEPENDS "${sdk}/template/*" "${sdk}/llama_gpu_plugin/*.py"
       "${sdk}/llama_gpu_plugin/py.typed")
  add_custom_command(
    OUTPUT "${out}"
    COMMAND "${LLAMAGPU_PYTHON}" "${CMAKE_SOURCE_DIR}/scripts/generate_plugin_template.py" "${sdk}" "${out}"
    COMMAND "${CMAKE_COMMAND}" -E touch "${out}"
    DEPENDS ${files} "${CMAKE_SOURCE_DIR}/scripts/generate_plugin_template.py"
    VERBATIM)
  target_sources(${target} PRIVATE "${out}")
endfunction()
