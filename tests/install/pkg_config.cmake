include("${CMAKE_CURRENT_LIST_DIR}/run.cmake")

set(ENV{PKG_CONFIG_PATH} "${TREE}/${LIBDIR}/pkgconfig:$ENV{PKG_CONFIG_PATH}")
set(ENV{LD_LIBRARY_PATH} "${TREE}/${LIBDIR}:$ENV{LD_LIBRARY_PATH}")
set(ENV{DYLD_LIBRARY_PATH} "${TREE}/${LIBDIR}:$ENV{DYLD_LIBRARY_PATH}")

run("${PKG_CONFIG}" --modversion uva)
string(STRIP "${OUTPUT}" found)
if(NOT found STREQUAL VERSION)
    message(FATAL_ERROR "uva.pc says ${found}, not ${VERSION}")
endif()

set(kind)
if(STATIC)
    set(kind --static)
endif()
run("${PKG_CONFIG}" --cflags --libs ${kind} uva)
expect_protected_frames("${OUTPUT}")
separate_arguments(flags UNIX_COMMAND "${OUTPUT}")
separate_arguments(c_flags UNIX_COMMAND "${C_FLAGS}")
file(MAKE_DIRECTORY "${BINARY}")
run("${CC}" -std=c11 -Wall -Wextra -Wpedantic -Werror ${c_flags}
    "${SOURCE}/main.c" "${SOURCE}/twice.c" -o "${BINARY}/consumer" ${flags})
run_consumer("${BINARY}/consumer")
