# libuv::uv, a libuv of at least UVA_LIBUV_MINIMUM found on the system: by its
# own CMake config or by pkg-config. Sets UVA_LIBUV_FOUND. Installed beside
# uvaConfig, so that users of the library find libuv the same way.

set(UVA_LIBUV_FOUND FALSE)

# The hint is for an installed uva that brought its libuv along.
find_package(libuv ${UVA_LIBUV_MINIMUM} CONFIG QUIET HINTS "${CMAKE_CURRENT_LIST_DIR}/../libuv")
if(NOT TARGET libuv::uv)
    find_package(PkgConfig QUIET)
    if(PkgConfig_FOUND)
        pkg_check_modules(UVA_LIBUV_PC QUIET IMPORTED_TARGET "libuv>=${UVA_LIBUV_MINIMUM}")
    endif()
    if(TARGET PkgConfig::UVA_LIBUV_PC)
        # The name that libuv's own config gives it.
        add_library(libuv::uv INTERFACE IMPORTED)
        target_link_libraries(libuv::uv INTERFACE PkgConfig::UVA_LIBUV_PC)
    endif()
endif()
if(TARGET libuv::uv)
    set(UVA_LIBUV_FOUND TRUE)
endif()
