# uva_add_test(.../test_locks.c): the suite locks, one executable, one CTest entry per
# TCase, so that a failure names itself and all of them run at the same time.

set(UVA_TEST_TIMEOUT_S 60)
set(UVA_TEST_WRAPPER)
set(UVA_TEST_ENVIRONMENT)
if(UVA_TEST_VALGRIND)
    find_program(VALGRIND_PROGRAM valgrind REQUIRED)
    set(UVA_TEST_TIMEOUT_S 300)
    set(UVA_TEST_WRAPPER "${VALGRIND_PROGRAM}" --quiet --error-exitcode=99
        --leak-check=full --show-leak-kinds=definite,indirect
        --errors-for-leak-kinds=definite,indirect)
    list(APPEND UVA_TEST_ENVIRONMENT UVA_TEST_STACKS=500)
endif()
if(UVA_SANITIZE)
    set(UVA_TEST_TIMEOUT_S 180)
endif()
if(UVA_SANITIZE MATCHES "thread")
    # TSan of these compilers stops at start where the kernel spreads addresses
    # over more than 28 bits.
    find_program(SETARCH_PROGRAM setarch)
    if(SETARCH_PROGRAM)
        execute_process(COMMAND "${SETARCH_PROGRAM}" -R true RESULT_VARIABLE _refused ERROR_QUIET)
        if(_refused EQUAL 0)
            set(UVA_TEST_WRAPPER "${SETARCH_PROGRAM}" -R)
        endif()
    endif()
    # A stack is a fiber to TSan, and its runtime keeps a fixed number of them:
    # beyond about 8,000 with gcc and 32,000 with clang it stops the program.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        list(APPEND UVA_TEST_ENVIRONMENT UVA_TEST_STACKS=4000)
    else()
        list(APPEND UVA_TEST_ENVIRONMENT UVA_TEST_STACKS=20000)
    endif()
    list(APPEND UVA_TEST_ENVIRONMENT
        "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=${PROJECT_SOURCE_DIR}/tests/support/tsan.supp")
endif()
if(UVA_SANITIZE MATCHES "address")
    list(APPEND UVA_TEST_ENVIRONMENT
        ASAN_OPTIONS=detect_stack_use_after_return=0:strict_string_checks=1
        UBSAN_OPTIONS=print_stacktrace=1)
endif()
if(UVA_SANITIZE OR UVA_TEST_VALGRIND)
    # A tool watches one process well; a failed test then ends its executable.
    list(APPEND UVA_TEST_ENVIRONMENT CK_FORK=no)
endif()
if(UVA_IO STREQUAL "uv")
    # libuv's writes raise SIGPIPE, so its users ignore it. That is inherited.
    list(PREPEND UVA_TEST_WRAPPER sh -c "trap '' PIPE && exec \"$@\"" sh)
    list(APPEND UVA_TEST_ENVIRONMENT UVA_TEST_IO=uv)
endif()

# Check's own limit is four seconds, too few for a machine that is busy.
list(APPEND UVA_TEST_ENVIRONMENT CK_DEFAULT_TIMEOUT=${UVA_TEST_TIMEOUT_S})

# Run a command of ours as a test, under Valgrind if that was asked for.
function(uva_add_command_test name)
    add_test(NAME ${name} COMMAND ${UVA_TEST_WRAPPER} ${ARGN})
    set_tests_properties(${name} PROPERTIES
        TIMEOUT ${UVA_TEST_TIMEOUT_S}
        SKIP_RETURN_CODE 77
        ENVIRONMENT "${UVA_TEST_ENVIRONMENT}"
    )
endfunction()

# A test that cannot run here: says why, counts as skipped.
function(uva_skip_test name reason)
    add_test(NAME ${name} COMMAND "${CMAKE_COMMAND}" -E echo "SKIP: ${reason}")
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "SKIP: ")
endfunction()

function(uva_add_test source)
    get_filename_component(module "${source}" NAME_WE)
    string(REGEX REPLACE "^test_" "" module "${module}")
    add_executable(test_${module} "${source}")
    uva_system_target(test_${module})
    set_target_properties(test_${module} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
    target_link_libraries(test_${module} PRIVATE uva_test_support)

    # The names stand in the source alone: read them again when it changes.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    file(READ "${source}" text)
    string(REGEX MATCHALL "(tcase_create|UVA_([A-Z]+_)?TCASE)[ \n]*\\([^\"();]*\"[^\"]+\"" matches "${text}")
    set(cases)
    foreach(match IN LISTS matches)
        string(REGEX REPLACE "^[^\"]*\"([^\"]+)\"$" "\\1" case "${match}")
        list(APPEND cases "${case}")
    endforeach()
    list(REMOVE_DUPLICATES cases)
    if(NOT cases)
        # A test that fails and not an error: the rest can be built and run.
        add_test(NAME ${module} COMMAND "${CMAKE_COMMAND}" -E false)
        message(WARNING "${source}: no tcase_create(\"...\") with a literal name")
    endif()
    foreach(case IN LISTS cases)
        uva_add_command_test(${module}.${case} $<TARGET_FILE:test_${module}>)
        set_property(TEST ${module}.${case} APPEND PROPERTY ENVIRONMENT "CK_RUN_CASE=${case}")
    endforeach()
endfunction()
