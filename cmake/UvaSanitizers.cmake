# Flags that must reach every object, ours and a vendored libuv's: sanitizers,
# coverage, fuzzing. The sources learn of a sanitizer from the compiler's own
# macros, so there is nothing to define. C++ is only checked, never run.

if(UVA_SANITIZE)
    # Recovery off: a report of UBSan fails the test that met it.
    add_compile_options(
        "$<$<COMPILE_LANGUAGE:C>:-fsanitize=${UVA_SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer>"
    )
    add_link_options("-fsanitize=${UVA_SANITIZE}")
endif()

if(UVA_COVERAGE)
    add_compile_options("$<$<COMPILE_LANGUAGE:C>:--coverage>")
    add_link_options(--coverage)
endif()

if(UVA_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "UVA_FUZZ needs clang: -DCMAKE_C_COMPILER=clang")
    endif()
    add_compile_options("$<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>")
endif()
