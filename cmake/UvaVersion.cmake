# UVA_VERSION, from the one place that holds the numbers. Other files may use
# it before project() has run, as CMakeLists.txt does.

set(_header "${CMAKE_CURRENT_LIST_DIR}/../include/uva/version.h")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${_header}")
file(READ "${_header}" _text)
set(_numbers)
foreach(_part IN ITEMS MAJOR MINOR PATCH)
    if(NOT _text MATCHES "#define UVA_VERSION_${_part}[ \t]+([0-9]+)")
        message(FATAL_ERROR "no UVA_VERSION_${_part} in include/uva/version.h")
    endif()
    list(APPEND _numbers "${CMAKE_MATCH_1}")
endforeach()
list(JOIN _numbers "." UVA_VERSION)
