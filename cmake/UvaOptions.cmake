# Every option, its default, and why one would turn it.

include(CMakeDependentOption)

# As a subproject uva is a library and nothing else.
option(UVA_BUILD_TESTS "Build the tests; needs Check" ${PROJECT_IS_TOP_LEVEL})
option(UVA_BUILD_PROGRAMS "Build tools, examples and benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(UVA_BUILD_SHARED "Build the shared library too; off halves the time of a build" ${PROJECT_IS_TOP_LEVEL})
option(UVA_INSTALL "Make install rules" ${PROJECT_IS_TOP_LEVEL})

option(UVA_WERROR "Warnings are errors; for our presets, not for a compiler we have not met" OFF)
option(UVA_HARDENING "Stack protector, fortified libc calls, branch protection, read-only relocations" ON)

set(UVA_CORO "auto" CACHE STRING "How stacks are switched: asm, ucontext, or auto (asm where we have it)")
set_property(CACHE UVA_CORO PROPERTY STRINGS auto asm ucontext)

set(UVA_IO "socket" CACHE STRING "What connections stand on: socket (uv_poll_t), or uv (uv_tcp_t and uv_pipe_t, for those who ignore SIGPIPE)")
set_property(CACHE UVA_IO PROPERTY STRINGS socket uv)

set(UVA_ASSERT_LEVEL "1" CACHE STRING "0 no assertions, 1 cheap ones, 2 all; NDEBUG has no say")
set_property(CACHE UVA_ASSERT_LEVEL PROPERTY STRINGS 0 1 2)

include(CheckIncludeFile)
check_include_file(valgrind/valgrind.h UVA_FOUND_VALGRIND_H)
cmake_dependent_option(
    UVA_VALGRIND "Tell Valgrind of every stack; costs a few instructions per stack made"
    ON "UVA_FOUND_VALGRIND_H" OFF
)

set(UVA_SANITIZE "" CACHE STRING "What -fsanitize= gets, for everything built here: address,undefined or thread")
option(UVA_COVERAGE "Count executed lines; the target coverage prints them (gcc)" OFF)
option(UVA_FUZZ "Build the fuzzers; needs clang" OFF)
option(UVA_TEST_VALGRIND "Run each test under Valgrind" OFF)
option(UVA_FORCE_VENDORED "Build libuv and Check from vendor/ even when the system has them" OFF)

# A build without a type would be an unoptimised one, which nobody means.
get_property(_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT _multi_config)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

# -O2 is what distributions build with, and what our figures are measured with.
# Only CMake's own default is replaced.
if(CMAKE_C_FLAGS_RELEASE STREQUAL "-O3 -DNDEBUG")
    set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
endif()

include(GNUInstallDirs) # Before vendor/, whose recipes install too.
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
