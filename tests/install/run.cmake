# run(<command>...): stop with its output when it fails; OUTPUT otherwise.

function(run)
    execute_process(COMMAND ${ARGN}
        RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
    if(NOT status EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}\nended with ${status}:\n${output}${errors}")
    endif()
    set(OUTPUT "${output}" PARENT_SCOPE)
endfunction()

# run_consumer(<program>): it prints the version it was compiled with, the
# version it runs with, and what its task returned.
function(run_consumer program)
    run("${program}")
    if(NOT OUTPUT STREQUAL "${VERSION} ${VERSION} 42\n")
        message(FATAL_ERROR "${program} printed: ${OUTPUT}")
    endif()
endfunction()

# expect_protected_frames(<command line>): it has what keeps a large frame from
# reaching over a guard, if the compiler of this build takes it.
function(expect_protected_frames line)
    foreach(flag IN LISTS STACK_CLASH_FLAGS)
        if(NOT " ${line} " MATCHES " ${flag}[ \n]")
            message(FATAL_ERROR "no ${flag} in: ${line}")
        endif()
    endforeach()
endfunction()
