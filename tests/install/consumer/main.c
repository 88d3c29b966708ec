/* Prints the version it was compiled with, the version it runs with, and what
 * a task of another file returned. */
#include <stdio.h>

#include "twice.h"

UVA_TASK(int, answer)
{
    return twice_await(uva_spawn(twice, .number = 21), ret);
}

int main(void)
{
    int number = 0;
    int r = uva_run_task(answer, NULL, &number);

    printf("%s %s %d\n", UVA_VERSION_STRING, uva_version_string(), number);
    return r < 0;
}
