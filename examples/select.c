/*
 * A task that serves two queues, whichever has something, until both are shut
 * down.
 */
#include <stdio.h>

#include <uva.h>

UVA_TASK(void, desk, uva_queue_t *letters; uva_queue_t * parcels;)
{
    void *item;
    uva_select_case_t cases[] = {
        UVA_SELECT_GET(args->letters, &item),
        UVA_SELECT_GET(args->parcels, &item),
    };
    int which;

    while ((which = uva_select(cases, 2)) >= 0) {
        printf("%s to %s\n", which == 0 ? "a letter" : "a parcel",
               (const char *)item);
    }
    printf("closed\n");
    return which == UVA_EQUEUESHUTDOWN ? 0 : which;
}

UVA_TASK(void, sender, uva_queue_t *queue; char *town; int turns;)
{
    int r = 0;

    for (int i = 0; i < 3 && r >= 0; i++) {
        r = uva_queue_put(args->queue, args->town);
        for (int turn = 0; turn < args->turns && r >= 0; turn++) {
            r = uva_sleep(0);
        }
    }
    uva_queue_shutdown(args->queue, false);
    return r;
}

UVA_TASK(void, program)
{
    static char oslo[] = "Oslo";
    static char rome[] = "Rome";
    uva_queue_t letters = UVA_QUEUE_INIT(0);
    uva_queue_t parcels = UVA_QUEUE_INIT(0);
    uva_taskgroup_t group;

    uva_taskgroup_enter(&group);
    uva_taskgroup_spawn(&group, desk, .letters = &letters, .parcels = &parcels);
    uva_taskgroup_spawn(&group, sender, .queue = &letters, .town = oslo,
                        .turns = 5);
    uva_taskgroup_spawn(&group, sender, .queue = &parcels, .town = rome,
                        .turns = 3);
    int r = uva_taskgroup_exit(&group, 0);
    uva_queue_destroy(&letters);
    uva_queue_destroy(&parcels);
    return r;
}

int main(void)
{
    return uva_main(program);
}
