# Build a pinned libuv or Check as part of our own build.

include("${CMAKE_CURRENT_LIST_DIR}/pins.cmake")
set(UVA_VENDOR_DIR "${CMAKE_CURRENT_LIST_DIR}")

# Unpack <name>-<version>.tar.gz below the build directory: the file somebody
# put into vendor/, else upstream's. Either must have the pinned checksum.
function(uva_unpack name ret_source)
    set(version "${UVA_PIN_${name}_VERSION}")
    set(sha256 "${UVA_PIN_${name}_SHA256}")
    set(source "${PROJECT_BINARY_DIR}/vendor/${name}-${version}")
    set(${ret_source} "${source}" PARENT_SCOPE)
    if(EXISTS "${source}/CMakeLists.txt")
        return()
    endif()

    set(tarball "${UVA_VENDOR_DIR}/${name}-${version}.tar.gz")
    if(EXISTS "${tarball}")
        file(SHA256 "${tarball}" found)
        if(NOT found STREQUAL sha256)
            message(FATAL_ERROR
                "vendor/${name}-${version}.tar.gz is not the pinned file:\n"
                "  expected ${sha256}\n  found    ${found}")
        endif()
    else()
        set(tarball "${PROJECT_BINARY_DIR}/vendor/${name}-${version}.tar.gz")
        message(STATUS "Fetching ${UVA_PIN_${name}_URL}")
        file(DOWNLOAD "${UVA_PIN_${name}_URL}" "${tarball}" STATUS status TLS_VERIFY ON)
        set(found "nothing")
        if(status MATCHES "^0;")
            file(SHA256 "${tarball}" found)
        endif()
        if(NOT found STREQUAL sha256)
            file(REMOVE "${tarball}")
            message(FATAL_ERROR
                "${name} ${version} is neither on this system nor to be had from upstream "
                "(${status}; checksum ${found}). Install it, or put ${name}-${version}.tar.gz "
                "into vendor/ (see vendor/VENDOR.md).")
        endif()
    endif()
    file(ARCHIVE_EXTRACT INPUT "${tarball}" DESTINATION "${PROJECT_BINARY_DIR}/vendor")
endfunction()

# Our warnings are not for their headers.
function(uva_system_headers target)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    set_target_properties(${target} PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${folders}")
endfunction()

# Shared: uva and an application on the same loop must share one libuv. Its
# install rules run with ours, so that an installed uva finds what it was
# built with.
function(uva_vendored_libuv)
    uva_unpack(libuv source)
    set(LIBUV_BUILD_TESTS OFF)
    set(LIBUV_BUILD_BENCH OFF)
    set(LIBUV_BUILD_SHARED ON)
    # libuv 1.50 asks for 3.10 and knows options only by cache or by policy.
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
    set(BUILD_TESTING OFF)
    set(CMAKE_WARN_DEPRECATED OFF)
    # Its licence has the name of ours.
    set(CMAKE_INSTALL_DOCDIR "${CMAKE_INSTALL_DATAROOTDIR}/doc/libuv")
    add_subdirectory("${source}" "${PROJECT_BINARY_DIR}/vendor/libuv")
    add_library(libuv::uv ALIAS uv)
    uva_system_headers(uv)
    # What we install must find the libuv that lies beside it.
    set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" PARENT_SCOPE)
endfunction()

# For our tests alone: never installed. Without subunit, which only machines
# read.
function(uva_vendored_check)
    uva_unpack(check source)
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
    set(BUILD_TESTING OFF)
    set(CHECK_ENABLE_TESTS OFF)
    set(ENABLE_SUBUNIT OFF)
    set(CMAKE_WARN_DEPRECATED OFF)
    add_subdirectory("${source}" "${PROJECT_BINARY_DIR}/vendor/check" EXCLUDE_FROM_ALL)
    uva_system_headers(check)
endfunction()
