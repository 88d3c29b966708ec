# cmake -DCOMMAND=... -DEXPECTED=file -P compare_output.cmake: run the command,
# compare what it prints with the file.

execute_process(COMMAND ${COMMAND} OUTPUT_VARIABLE output RESULT_VARIABLE status)
file(READ "${EXPECTED}" expected)
if(NOT output STREQUAL expected)
    message(FATAL_ERROR "expected:\n${expected}\nprinted:\n${output}")
endif()
if(NOT status EQUAL 0)
    message(FATAL_ERROR "ended with ${status}")
endif()
