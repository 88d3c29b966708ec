/*
 * What destructors, callbacks, factories and eager children of the user may do
 * in the middle of a call of the library: everything.
 */
#include "kinds.h"
#include "loops.h"

/* --- loops --- */

/* The last reference of a loop that was not closed closes it. */
START_TEST(unref_of_an_open_loop)
{
    uva_test_log_begin();
    uva_loop_unref(new_loop());
    uva_loop_unref(new_real_loop());
    ck_assert_str_eq(uva_test_log(),
                     "a loop was dropped that was not closed\n"
                     "a loop was dropped that was not closed\n");
    uva_test_log_end();
}
END_TEST

static void unref_loop(void *data)
{
    uva_loop_unref(data);
}

/* A reference that what the loop drops has is one all the same. */
START_TEST(unref_of_an_open_loop_that_drops_others)
{
    uva_call_options_t options = UVA_CALL_OPTIONS_INIT;
    uva_loop_t *loop = new_loop();

    options.destroy = unref_loop;
    ck_assert_int_eq(uva_loop_call_soon(loop, unref_loop, uva_loop_ref(loop),
                                        &options, NULL),
                     0);
    end_loop(loop);
}
END_TEST

/* --- the suite --- */

int main(void)
{
    Suite *suite = suite_create("reentry");
    TCase *loops = UVA_LOOPS_TCASE(suite, "Loops");

    tcase_add_test(loops, unref_of_an_open_loop);
    tcase_add_test(loops, unref_of_an_open_loop_that_drops_others);
    return uva_test_main(suite);
}
