/*
 * The slab from the inside: objects that do not overlap, blocks that grow.
 */
#include <string.h>

#include "uva_test.h"

#include "base/slab.h"

#define OBJECTS 500
#define MIB     ((size_t)1024 * 1024)

/* Not strict, whatever the build. */
static void slab_init(uva__slab_t *slab)
{
    uva__slab_init(slab);
    slab->classes = UVA__SLAB_CLASSES;
}

static bool holds(const unsigned char *object, size_t size, size_t byte)
{
    for (size_t i = 0; i < size; i++) {
        if (object[i] != byte) {
            return false;
        }
    }
    return true;
}

START_TEST(objects_do_not_overlap)
{
    static unsigned char *objects[OBJECTS];
    static size_t sizes[OBJECTS];
    uva_test_mark_t mark = uva_test_mark();
    uint64_t seed = 88172645463325252u + (uint64_t)_i;
    uva__slab_t slab;

    slab_init(&slab);
    for (int step = 0; step < 20000; step++) {
        size_t i;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        i = (size_t)(seed >> 33) % OBJECTS;
        if (objects[i] == NULL) {
            sizes[i] = (size_t)(seed >> 20) % 600 + 1;
            objects[i] = uva__slab_get(&slab, sizes[i]);
            ck_assert_ptr_nonnull(objects[i]);
            ck_assert_uint_eq((uintptr_t)objects[i] % UVA__SLAB_UNIT, 0);
            memset(objects[i], (int)(i % 251), sizes[i]);
        } else {
            ck_assert(holds(objects[i], sizes[i], i % 251));
            uva__slab_put(&slab, objects[i], sizes[i]);
            objects[i] = NULL;
        }
    }
    for (size_t i = 0; i < OBJECTS; i++) {
        if (objects[i] != NULL) {
            ck_assert(holds(objects[i], sizes[i], i % 251));
            uva__slab_put(&slab, objects[i], sizes[i]);
            objects[i] = NULL;
        }
    }
    ck_assert_uint_eq(slab.live, 0);
    uva__slab_destroy(&slab);
    uva_test_nothing_left(mark);
}
END_TEST

/* Take objects until the slab asks for a block. @return The last one. */
static void *slab_fill(uva__slab_t *slab, size_t size)
{
    uint64_t asked = uva_testing_allocations();
    void *object = NULL;

    while (uva_testing_allocations() == asked) {
        object = uva__slab_get(slab, size);
    }
    return object;
}

START_TEST(blocks_double)
{
    uva_test_mark_t mark = uva_test_mark();
    uva__slab_t slab;
    size_t bytes = 0;

    slab_init(&slab);
    for (size_t block = 4096; block <= MIB; block *= 2) {
        ck_assert_ptr_nonnull(slab_fill(&slab, 512));
        bytes += block;
        ck_assert_uint_eq(uva_test_mark().bytes, mark.bytes + bytes);
    }
    ck_assert_ptr_nonnull(slab_fill(&slab, 512));
    ck_assert_uint_eq(uva_test_mark().bytes, mark.bytes + bytes + MIB);
    slab.live = 0;
    uva__slab_destroy(&slab);
    uva_test_nothing_left(mark);
}
END_TEST

START_TEST(no_memory)
{
    uva__slab_t slab;

    slab_init(&slab);
    uva_testing_fail_allocation(1, false);
    ck_assert_ptr_null(uva__slab_get(&slab, 16));
    uva_testing_fail_allocation(0, false);
    ck_assert_ptr_null(slab.blocks);
    ck_assert_uint_eq(slab.live, 0);
    uva__slab_destroy(&slab);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slab");
    TCase *slab = UVA_TCASE(suite, "Slab");
    TCase *blocks = UVA_TCASE(suite, "Blocks");

    tcase_add_loop_test(slab, objects_do_not_overlap, 0, 5);
    tcase_add_test(slab, no_memory);
    tcase_add_test(blocks, blocks_double);
    return uva_test_main(suite);
}
