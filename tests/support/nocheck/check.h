/*
 * The part of Check that the tests of src/core/coro use, for machines that
 * have none: tests run one after another in one process, and the first failure
 * ends it. CK_RUN_CASE picks a case, as with Check.
 */
#ifndef NOCHECK_CHECK_H
#define NOCHECK_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CK_ENV              0
#define NOCHECK_TESTS_COUNT 64
#define NOCHECK_CASES_COUNT 16

typedef struct TTest {
    const char *name;
    void (*run)(int i);
} TTest;

typedef struct TCase {
    const char *name;
    const TTest *tests[NOCHECK_TESTS_COUNT];
    int count;
} TCase;

typedef struct Suite {
    const char *name;
    TCase *cases[NOCHECK_CASES_COUNT];
    int count;
} Suite;

typedef struct SRunner {
    Suite *suite;
} SRunner;

#define START_TEST(name)                                  \
    static void name##_run(int _i);                       \
    static const TTest name##_test = {#name, name##_run}; \
    static const TTest *const name = &name##_test;        \
    static void name##_run(int _i)                        \
    {                                                     \
        (void)_i;
#define END_TEST }

#define ck_assert(condition)                                                   \
    ((condition) ? (void)0                                                     \
                 : (fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, \
                            #condition),                                       \
                    exit(1)))
#define ck_assert_int_eq(a, b)    ck_assert((a) == (b))
#define ck_assert_int_ne(a, b)    ck_assert((a) != (b))
#define ck_assert_int_lt(a, b)    ck_assert((a) < (b))
#define ck_assert_int_le(a, b)    ck_assert((a) <= (b))
#define ck_assert_int_gt(a, b)    ck_assert((a) > (b))
#define ck_assert_int_ge(a, b)    ck_assert((a) >= (b))
#define ck_assert_uint_eq(a, b)   ck_assert((a) == (b))
#define ck_assert_uint_ne(a, b)   ck_assert((a) != (b))
#define ck_assert_uint_lt(a, b)   ck_assert((a) < (b))
#define ck_assert_uint_le(a, b)   ck_assert((a) <= (b))
#define ck_assert_uint_gt(a, b)   ck_assert((a) > (b))
#define ck_assert_uint_ge(a, b)   ck_assert((a) >= (b))
#define ck_assert_ptr_eq(a, b)    ck_assert((a) == (b))
#define ck_assert_ptr_ne(a, b)    ck_assert((a) != (b))
#define ck_assert_ptr_null(a)     ck_assert((a) == NULL)
#define ck_assert_ptr_nonnull(a)  ck_assert((a) != NULL)
#define ck_assert_str_eq(a, b)    ck_assert(strcmp((a), (b)) == 0)
#define ck_assert_double_eq(a, b) ck_assert(!((a) < (b)) && !((a) > (b)))

static inline Suite *suite_create(const char *name)
{
    static Suite suite;

    suite.name = name;
    return &suite;
}

static inline TCase *tcase_create(const char *name)
{
    static TCase cases[NOCHECK_CASES_COUNT];
    static int count;

    cases[count].name = name;
    return &cases[count++];
}

static inline void suite_add_tcase(Suite *suite, TCase *tcase)
{
    suite->cases[suite->count++] = tcase;
}

static inline void tcase_add_test(TCase *tcase, const TTest *test)
{
    tcase->tests[tcase->count++] = test;
}

static inline void tcase_set_timeout(TCase *tcase, double timeout_s)
{
    (void)tcase;
    (void)timeout_s;
}

static inline SRunner *srunner_create(Suite *suite)
{
    static SRunner runner;

    runner.suite = suite;
    return &runner;
}

static inline void srunner_run_all(SRunner *runner, int mode)
{
    const char *only = getenv("CK_RUN_CASE");

    (void)mode;
    for (int i = 0; i < runner->suite->count; i++) {
        TCase *tcase = runner->suite->cases[i];
        if (only != NULL && strcmp(only, tcase->name) != 0) {
            continue;
        }
        for (int k = 0; k < tcase->count; k++) {
            printf("%s.%s.%s\n", runner->suite->name, tcase->name,
                   tcase->tests[k]->name);
            fflush(stdout);
            tcase->tests[k]->run(0);
        }
    }
}

static inline int srunner_ntests_failed(SRunner *runner)
{
    (void)runner;
    return 0; /* A failure does not come here. */
}

static inline void srunner_free(SRunner *runner)
{
    (void)runner;
}

#endif /* NOCHECK_CHECK_H */
