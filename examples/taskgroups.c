/*
 * Task groups: children never outlive the scope, so they may use its locals.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(int, square, int number; int *result;)
{
    int r = uva_sleep(UVA_MS(5));
    if (r < 0) {
        return r;
    }
    if (args->number > 100) {
        return uva_fail(UV_ERANGE, "%d is too large", args->number);
    }
    *args->result = args->number * args->number;
    return 0;
}

static int squares(int first, int second)
{
    uva_taskgroup_t group;
    int results[2] = {0, 0};

    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, square, .number = first, .result = &results[0]);
    uva_taskgroup_spawn(&group, square, .number = second,
                        .result = &results[1]);
    int r = uva_taskgroup_exit(&group, 0); /* Waits; tells every failure. */
    if (r < 0) {
        return r;
    }
    printf("%d %d\n", results[0], results[1]);
    return 0;
}

UVA_TASK(int, program)
{
    int r = squares(3, 4);
    if (r < 0) {
        return r;
    }
    r = squares(5, 600);
    if (r != UVA_EGROUP) {
        return r;
    }
    for (size_t i = 0; i < uva_error_member_count(uva_task_error()); i++) {
        printf("%s\n", uva_error_text(uva_error_member(uva_task_error(), i)));
    }
    return 0;
}

int main(void)
{
    return uva_main(program);
}
