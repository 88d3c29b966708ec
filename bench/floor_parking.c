/*
 * An experiment: what it would give, and cost, to park stacks of tasks that
 * sleep for long. Parking copies the used end of a stack into a small block and
 * gives its page back; resuming faults a new page in at the same address and
 * copies back.
 *
 *     floor_parking STACKS USED_BYTES
 *
 * It does no more than that: no choice of whom to park, no switch. So it is a
 * bound, like the floors.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

enum {
    STACK_BYTES = 262144,
    SLAB_STACKS = 256
};

static int64_t count;
static size_t used_bytes;
static size_t page_bytes;
static char **tops;
static char **parked;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void make_stacks(void)
{
    for (int64_t i = 0; i < count; i++) {
        static char *slab;
        if (i % SLAB_STACKS == 0) {
            slab = mmap(NULL, (size_t)SLAB_STACKS * STACK_BYTES,
                        PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (slab == MAP_FAILED) {
                fail("mmap");
            }
        }
        tops[i] = slab + (size_t)(i % SLAB_STACKS + 1) * STACK_BYTES;
    }
}

static void touch(void)
{
    for (int64_t i = 0; i < count; i++) {
        memset(tops[i] - used_bytes, (int)i, used_bytes);
    }
}

static void park(void)
{
    for (int64_t i = 0; i < count; i++) {
        parked[i] = malloc(used_bytes);
        if (parked[i] == NULL) {
            fail("malloc");
        }
        memcpy(parked[i], tops[i] - used_bytes, used_bytes);
        if (madvise(tops[i] - page_bytes, page_bytes, MADV_DONTNEED) < 0) {
            fail("madvise");
        }
    }
}

static void resume(void)
{
    for (int64_t i = 0; i < count; i++) {
        memcpy(tops[i] - used_bytes, parked[i], used_bytes);
        free(parked[i]);
    }
}

/* What is resumed without having been parked. */
static void look(void)
{
    static volatile char seen;

    for (int64_t i = 0; i < count; i++) {
        seen = tops[i][-1];
    }
    (void)seen;
}

static void step(const char *name, void (*run)(void), int64_t base_bytes)
{
    bench_mark_t mark = bench_begin();
    int64_t cpu_ns;

    run();
    cpu_ns = bench_clock(CLOCK_PROCESS_CPUTIME_ID) - mark.cpu_ns;
    printf("{\"bench\":\"%s\",\"peer\":\"floor\",\"n\":%" PRId64
           ",\"cpu_ns\":%.1f,\"rss_per\":%.1f,\"pte_per\":%.1f}\n",
           name, count, (double)cpu_ns / (double)count,
           (double)(bench_status("VmRSS:") - base_bytes) / (double)count,
           (double)bench_status("VmPTE:") / (double)count);
}

int main(int argc, char **argv)
{
    int64_t base_bytes;

    count = bench_arg(argc, argv, 1, 100000);
    used_bytes = (size_t)bench_arg(argc, argv, 2, 512);
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    tops = calloc((size_t)count, sizeof *tops);
    parked = calloc((size_t)count, sizeof *parked);
    if (count <= 0 || used_bytes == 0 || used_bytes > page_bytes ||
        tops == NULL || parked == NULL) {
        return 2;
    }
    make_stacks();
    memset(parked, 0xff, (size_t)count * sizeof *parked);
    base_bytes = bench_status("VmRSS:");
    step("first touch", touch, base_bytes);
    step("resume", look, base_bytes);
    step("park", park, base_bytes);
    step("resume parked", resume, base_bytes);
    free(parked);
    free(tops);
    return 0;
}
