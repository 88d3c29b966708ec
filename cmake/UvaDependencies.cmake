# Threads, libuv and Check. The system's libraries come first; vendor/ has a
# recipe for each that is missing.

set(UVA_LIBUV_MINIMUM 1.44)

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

include("${PROJECT_SOURCE_DIR}/vendor/recipes.cmake")

if(NOT UVA_FORCE_VENDORED)
    include(UvaLibuv)
endif()
if(NOT UVA_LIBUV_FOUND)
    uva_vendored_libuv()
endif()

if(UVA_BUILD_TESTS)
    if(NOT UVA_FORCE_VENDORED)
        find_package(PkgConfig QUIET)
        if(PkgConfig_FOUND)
            pkg_check_modules(UVA_CHECK_PC QUIET IMPORTED_TARGET "check>=0.15")
        endif()
    endif()
    if(TARGET PkgConfig::UVA_CHECK_PC)
        add_library(Check::check INTERFACE IMPORTED)
        target_link_libraries(Check::check INTERFACE PkgConfig::UVA_CHECK_PC)
    else()
        uva_vendored_check()
    endif()
endif()
