# uva_protect_frames(<target>...): compile what links the targets so that a
# frame larger than a page is touched page by page, downwards. It then meets the
# guard below its stack; otherwise it may reach over it, into the stack of
# another task. Installed beside uvaConfig, as only the user's own compilers can
# be asked what they take.

include(CheckCompilerFlag)

# The flags for one language; none if its compiler does not take them.
function(uva_stack_clash_flags language ret_flags)
    set(flags -fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$"
            AND CMAKE_${language}_COMPILER_ID STREQUAL "GNU")
        # By default gcc takes a guard to have 64 KiB; ours has a page at least.
        list(APPEND flags --param=stack-clash-protection-guard-size=12)
    endif()
    # clang warns, and does nothing, where the target is one that it cannot do.
    string(APPEND CMAKE_REQUIRED_FLAGS " -Werror")
    check_compiler_flag(${language} "${flags}" UVA_HAS_STACK_CLASH_${language})
    if(NOT UVA_HAS_STACK_CLASH_${language})
        set(flags)
    endif()
    set(${ret_flags} "${flags}" PARENT_SCOPE)
endfunction()

function(uva_protect_frames)
    foreach(language IN ITEMS C CXX)
        if(NOT CMAKE_${language}_COMPILER_LOADED)
            continue()
        endif()
        uva_stack_clash_flags(${language} flags)
        foreach(target IN LISTS ARGN)
            target_compile_options(${target} INTERFACE
                "$<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:${language}>:${flags}>>")
        endforeach()
    endforeach()
endfunction()
