# One warning set for all compilers; a flag that one of them lacks is left out.

include(CheckCCompilerFlag)

set(_candidates
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wcast-qual -Wvla -Wundef -Wwrite-strings
)
set(UVA_WARNING_FLAGS)
foreach(_flag IN LISTS _candidates)
    string(MAKE_C_IDENTIFIER "UVA_HAS${_flag}" _has)
    check_c_compiler_flag(${_flag} ${_has})
    if(${_has})
        list(APPEND UVA_WARNING_FLAGS ${_flag})
    endif()
endforeach()
if(UVA_WERROR)
    list(APPEND UVA_WARNING_FLAGS -Werror)
endif()
