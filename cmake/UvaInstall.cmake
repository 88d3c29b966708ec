# Install rules: headers, libraries, a CMake package, a pkg-config file.

include(CMakePackageConfigHelpers)

set(_package "${CMAKE_INSTALL_LIBDIR}/cmake/uva")
set(_targets uva_static)
if(UVA_BUILD_SHARED)
    list(APPEND _targets uva_shared)
endif()

install(TARGETS ${_targets} EXPORT uvaTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.h")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/tools/uva-gdb.py" DESTINATION "${CMAKE_INSTALL_DATADIR}/uva")
if(UVA_BUILD_SHARED AND NOT WIN32 AND NOT APPLE)
    # gdb loads what stands at the library's own path below its auto-load
    # folder.
    install(FILES "${PROJECT_SOURCE_DIR}/tools/uva-gdb.py"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/gdb/auto-load${CMAKE_INSTALL_FULL_LIBDIR}"
        RENAME "libuva.so.${PROJECT_VERSION}-gdb.py")
endif()

install(EXPORT uvaTargets NAMESPACE uva:: DESTINATION "${_package}")
configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/uvaConfig.cmake.in" "${PROJECT_BINARY_DIR}/uvaConfig.cmake"
    INSTALL_DESTINATION "${_package}"
)
# Before 1.0 a minor version may break its users.
write_basic_package_version_file(
    "${PROJECT_BINARY_DIR}/uvaConfigVersion.cmake" COMPATIBILITY SameMinorVersion
)
install(
    FILES
        "${PROJECT_BINARY_DIR}/uvaConfig.cmake"
        "${PROJECT_BINARY_DIR}/uvaConfigVersion.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/UvaLibuv.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/UvaStackClash.cmake"
    DESTINATION "${_package}"
)

# Where the .pc file finds the tree it was installed into: relative to itself,
# so that the tree can be moved, unless somebody asked for an absolute folder.
set(UVA_PC_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
set(UVA_PC_INCLUDEDIR "${CMAKE_INSTALL_INCLUDEDIR}")
set(UVA_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(UVA_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
    set(UVA_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
    file(RELATIVE_PATH _up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
    string(REGEX REPLACE "/$" "" _up "${_up}")
    set(UVA_PC_PREFIX "\${pcfiledir}/${_up}")
    set(UVA_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
    set(UVA_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
# What the compiler of this build takes; nobody can ask that of the user's.
set(UVA_PC_CFLAGS "${UVA_STACK_CLASH_FLAGS}")
string(REPLACE ";" " " UVA_PC_CFLAGS "${UVA_PC_CFLAGS}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/uva.pc.in" "${PROJECT_BINARY_DIR}/uva.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/uva.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
