include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")

file(REMOVE_RECURSE "${BINARY}")
set(options
    "-DCMAKE_PREFIX_PATH=${TREE}" "-Duva_USE_STATIC=${STATIC}" "-DUVA_EXPECTED=${VERSION}"
    "-DCMAKE_C_COMPILER=${CC}" "-DCMAKE_C_FLAGS=${C_FLAGS}" -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON
)
if(CXX)
    list(APPEND options "-DCMAKE_CXX_COMPILER=${CXX}")
endif()
run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BINARY}" -G "${GENERATOR}" ${options})
run("${CMAKE_COMMAND}" --build "${BINARY}")
file(STRINGS "${BINARY}/compile_commands.json" commands REGEX "\"command\"")
foreach(command IN LISTS commands)
    expect_protected_frames("${command}")
endforeach()
run_consumer("${BINARY}/consumer")
if(CXX)
    run_consumer("${BINARY}/consumer_cxx")
endif()
