# cmake -DEXPECTED=FILE -P compare_output.cmake -- COMMAND...: run the command,
# compare what it prints with the file.

set(command)
set(found FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(index RANGE ${last})
    if(found)
        list(APPEND command "${CMAKE_ARGV${index}}")
    elseif(CMAKE_ARGV${index} STREQUAL "--")
        set(found TRUE)
    endif()
endforeach()

execute_process(COMMAND ${command} OUTPUT_VARIABLE output RESULT_VARIABLE status)
file(READ "${EXPECTED}" expected)
if(NOT output STREQUAL expected)
    message(FATAL_ERROR "expected:\n${expected}\nprinted:\n${output}")
endif()
if(NOT status EQUAL 0)
    message(FATAL_ERROR "ended with ${status}")
endif()
