/* The bench's heap of answers that are due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../bench/due.h"
#include "../../bench/schedule.h"

static void the_earliest_comes_first_in_whatever_order_they_were_added(void **state) {
    (void)state;
    enum { ITEMS = 1000 };
    static uint64_t times[ITEMS];
    struct due due = {0};
    for (unsigned i = 0; i < ITEMS; i++) {
        times[i] = 1 + schedule_scatter(i) % 500;
        due_add(&due, times[i], &times[i]);
    }
    uint64_t last = 0;
    for (unsigned i = 0; i < ITEMS; i++) {
        uint64_t next = due_next_us(&due);
        const uint64_t *what = due_take(&due);
        assert_int_equal(*what, next);
        assert_true(next >= last);
        last = next;
    }
    assert_null(due_take(&due));
    assert_int_equal(due_next_us(&due), 0);
    due_free(&due);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_comes_first_in_whatever_order_they_were_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
