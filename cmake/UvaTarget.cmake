# uva_target(<name>): what every target of ours is compiled with. Plain calls
# on the target instead of an interface library, which the static library would
# drag into its installed dependencies.

include(UvaWarnings)
include(UvaStackClash)
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

uva_stack_clash_flags(C UVA_STACK_CLASH_FLAGS)

set(UVA_BRANCH_FLAGS)
set(UVA_HARDENING_FLAGS)
set(UVA_HARDENING_LINK_FLAGS)
# A sanitizer checks more than these do and is confused by some of them.
if(UVA_HARDENING AND NOT UVA_SANITIZE)
    check_c_compiler_flag(-fstack-protector-strong UVA_HAS_STACK_PROTECTOR)
    if(UVA_HAS_STACK_PROTECTOR)
        list(APPEND UVA_HARDENING_FLAGS -fstack-protector-strong)
    endif()
    # Landing pads only: our switch does not keep a shadow stack, so nothing
    # may claim that it does.
    check_c_compiler_flag(-fcf-protection=branch UVA_HAS_CF_PROTECTION)
    check_c_compiler_flag(-mbranch-protection=bti UVA_HAS_BRANCH_PROTECTION)
    if(UVA_HAS_CF_PROTECTION)
        set(UVA_BRANCH_FLAGS -fcf-protection=branch)
    elseif(UVA_HAS_BRANCH_PROTECTION)
        set(UVA_BRANCH_FLAGS -mbranch-protection=bti)
    endif()
    # Undefined first, because some distributions define it for everyone.
    list(APPEND UVA_HARDENING_FLAGS
        "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2>")
    foreach(_flag IN ITEMS relro now noexecstack)
        check_linker_flag(C "LINKER:-z,${_flag}" UVA_HAS_Z_${_flag})
        if(UVA_HAS_Z_${_flag})
            list(APPEND UVA_HARDENING_LINK_FLAGS "LINKER:-z,${_flag}")
        endif()
    endforeach()
endif()

function(uva_target name)
    set_target_properties(${name} PROPERTIES
        C_STANDARD 11
        C_STANDARD_REQUIRED ON
        C_EXTENSIONS OFF
        C_VISIBILITY_PRESET hidden
    )
    # The assembler learns of the landing pads too: __CET__ tells the sources
    # to mark their object, without which the linker drops the mark for all.
    target_compile_options(${name} PRIVATE
        "$<$<COMPILE_LANGUAGE:C>:${UVA_WARNING_FLAGS};${UVA_STACK_CLASH_FLAGS};${UVA_HARDENING_FLAGS}>"
        "$<$<COMPILE_LANGUAGE:C,ASM>:${UVA_BRANCH_FLAGS}>")
    target_link_options(${name} PRIVATE ${UVA_HARDENING_LINK_FLAGS})
endfunction()

# Code of ours that talks to the system: POSIX and the system's own additions
# on top of C11. Empty, so that a source may define it for itself too.
function(uva_system_target name)
    uva_target(${name})
    target_compile_definitions(${name} PRIVATE "_GNU_SOURCE=")
endfunction()
