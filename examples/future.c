/*
 * One task awaits a future, another completes it.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(void, asker, uva_future_t *answer;)
{
    void *text;

    printf("asker: what is the answer?\n");
    int r = uva_await(args->answer, &text);
    if (r < 0) {
        return r;
    }
    printf("asker: it is %s\n", (const char *)text);
    return 0;
}

UVA_TASK(void, thinker, uva_future_t *answer;)
{
    static char text[] = "forty-two";

    int r = uva_sleep(UVA_MS(2));
    if (r < 0) {
        return r;
    }
    printf("thinker: I have it\n");
    return uva_future_set_result(args->answer, text, NULL);
}

UVA_TASK(void, program)
{
    uva_future_t *answer = uva_create_future();
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, asker, .answer = answer);
    uva_taskgroup_spawn(&group, thinker, .answer = answer);
    int r = uva_taskgroup_exit(&group, 0);
    uva_future_unref(answer);
    return r;
}

int main(void)
{
    return uva_main(program);
}
