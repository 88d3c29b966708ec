# uva_check_headers(): each public header alone, twice, as C11 and as C++17,
# with the flags of a strict user and none of ours. Part of every build of a
# checkout, because a broken header is a broken library.

# C++ is for this check and for the C++ user of the install tests.
if(PROJECT_IS_TOP_LEVEL)
    if(CMAKE_C_COMPILER_ID MATCHES "Clang" AND NOT CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
        # Its own sister, where CMake would look for c++ first.
        string(REGEX REPLACE "clang([^/]*)$" "clang++\\1" _sister "${CMAKE_C_COMPILER}")
        if(EXISTS "${_sister}")
            set(CMAKE_CXX_COMPILER "${_sister}")
        endif()
    endif()
    include(CheckLanguage)
    check_language(CXX)
    if(CMAKE_CXX_COMPILER)
        enable_language(CXX)
    else()
        message(STATUS "No C++ compiler: the headers are not checked as C++17")
    endif()
endif()

function(uva_check_headers_as name suffix)
    set(sources)
    foreach(header IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "${header}" file)
        set(source "${PROJECT_BINARY_DIR}/header-check/${file}.${suffix}")
        # Twice: the guard must work. The declaration, because C forbids an
        # empty file and some headers hold macros alone.
        string(JOIN "\n" text "#include \"${header}\"" "#include \"${header}\""
            "extern int uva_header_check;" "")
        file(CONFIGURE OUTPUT "${source}" CONTENT "${text}")
        list(APPEND sources "${source}")
    endforeach()
    add_library(${name} OBJECT ${sources})
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${name} PRIVATE libuv::uv)
    target_compile_options(${name} PRIVATE
        -Wpedantic -Wall -Wextra -Wcast-qual $<$<BOOL:${UVA_WERROR}>:-Werror>)
endfunction()

function(uva_check_headers)
    if(NOT PROJECT_IS_TOP_LEVEL OR MSVC)
        return()
    endif()
    file(GLOB headers RELATIVE "${PROJECT_SOURCE_DIR}/include" CONFIGURE_DEPENDS
        "${PROJECT_SOURCE_DIR}/include/uva.h" "${PROJECT_SOURCE_DIR}/include/uva/*.h")

    uva_check_headers_as(uva_headers_c11 c ${headers})
    set_target_properties(uva_headers_c11 PROPERTIES
        C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)

    if(CMAKE_CXX_COMPILER)
        uva_check_headers_as(uva_headers_cxx17 cpp ${headers})
        set_target_properties(uva_headers_cxx17 PROPERTIES
            CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
    endif()
endfunction()
