/* Addresses of backends: numeric ones at once, names by the resolver's thread, the last good answer
 * kept. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>

#include "../../proxy/resolver.h"
#include "rig_clock.h"

#define DEADLINE_US (10 * RIG_SECOND_US)

/* The test's own name service; called from the resolver's thread. */
static _Atomic unsigned asked, refused;
static _Atomic bool broken;
static struct sockaddr_in made_up[12];

static bool is_ours(const struct addrinfo *list) {
    for (size_t i = 0; i < ARRAY_LEN(made_up); i++)
        if (list->ai_addr == (const struct sockaddr *)&made_up[i])
            return true;
    return false;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res) {
    struct addrinfo *list = NULL;
    bool numeric = hints->ai_flags & AI_NUMERICHOST;
    bool address = strspn(node, "0123456789.") == strlen(node);
    unsigned port = 0;
    (void)sscanf(service, "%u", &port);
    if (strcmp(node, "localhost") == 0) /* the system's */
        return ((int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))(
            uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo"))(node, service, hints, res);
    if (numeric && !address)
        return EAI_NONAME;
    if (!numeric) {
        asked++;
        if (broken) {
            refused++;
            return EAI_AGAIN;
        }
    }
    unsigned count = strcmp(node, "many") == 0 ? 12 : 1;
    for (unsigned i = count; i > 0; i--) {
        struct addrinfo *one = calloc(1, sizeof *one);
        if (!one)
            abort();
        made_up[i - 1] = (struct sockaddr_in){.sin_family = AF_INET,
                                              .sin_port = htons((uint16_t)port),
                                              .sin_addr.s_addr = htonl(0x7f000000 + i)};
        one->ai_addr = (struct sockaddr *)&made_up[i - 1];
        one->ai_addrlen = sizeof made_up[0];
        one->ai_next = list;
        list = one;
    }
    *res = list;
    return 0;
}

void freeaddrinfo(struct addrinfo *list) {
    if (list && !is_ours(list)) {
        ((void (*)(struct addrinfo *))(uintptr_t)dlsym(RTLD_NEXT, "freeaddrinfo"))(list);
        return;
    }
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

static void until_asked(unsigned times) {
    uint64_t end_us = rig_real_us(CLOCK_MONOTONIC) + DEADLINE_US;
    while (asked < times) {
        assert_true(rig_real_us(CLOCK_MONOTONIC) < end_us);
        sched_yield();
    }
}

static struct addresses *until_known(struct target *t) {
    uint64_t end_us = rig_real_us(CLOCK_MONOTONIC) + DEADLINE_US;
    struct addresses *a;
    while ((a = target_addresses(t)) == NULL) {
        assert_true(rig_real_us(CLOCK_MONOTONIC) < end_us);
        sched_yield();
    }
    return a;
}

static struct resolver *resolver;

static int make(void **state) {
    (void)state;
    asked = refused = 0;
    broken = false;
    resolver = resolver_new();
    return resolver ? 0 : -1;
}

static int drop(void **state) {
    (void)state;
    resolver_free(resolver);
    return 0;
}

static void a_numeric_address_is_known_at_once(void **state) {
    (void)state;
    struct target *t = target_new(resolver, "127.0.0.1", 9001);
    struct addresses *a = target_addresses(t);
    assert_non_null(a);
    assert_int_equal(a->count, 1);
    const struct sockaddr_in *at = (const struct sockaddr_in *)(const void *)&a->at[0];
    assert_int_equal(a->len[0], sizeof *at);
    assert_int_equal(ntohs(at->sin_port), 9001);
    assert_int_equal(ntohl(at->sin_addr.s_addr), 0x7f000001);
    target_doubtful(t);
    addresses_unref(a);
    target_unref(t);
    assert_int_equal(asked, 0); /* nobody needs to be asked about it */
}

static void a_name_is_asked_for_behind_the_caller(void **state) {
    (void)state;
    struct target *t = target_new(resolver, "backend.example", 80);
    struct addresses *a = until_known(t);
    assert_int_equal(a->count, 1);
    assert_int_equal(asked, 1);
    addresses_unref(a);
    target_unref(t);
}

static void localhost_is_found_by_the_system(void **state) {
    (void)state;
    struct target *t = target_new(resolver, "localhost", 8080);
    struct addresses *a = until_known(t);
    assert_true(a->count >= 1);
    char host[64], port[16];
    assert_int_equal(getnameinfo((const struct sockaddr *)&a->at[0], a->len[0], host, sizeof host,
                                 port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV),
                     0);
    assert_true(strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0);
    assert_string_equal(port, "8080");
    addresses_unref(a);
    target_unref(t);
}

static void more_addresses_than_there_is_room_for_are_cut(void **state) {
    (void)state;
    struct target *t = target_new(resolver, "many", 80);
    struct addresses *a = until_known(t);
    assert_int_equal(a->count, ADDRESSES_MAX);
    addresses_unref(a);
    target_unref(t);
}

static void a_name_that_does_not_resolve_has_no_address_until_it_does(void **state) {
    (void)state;
    broken = true;
    struct target *t = target_new(resolver, "backend.example", 80);
    until_asked(1);
    assert_null(target_addresses(t));
    broken = false;
    atomic_fetch_add(&rig_offset_us, 2 * RIG_SECOND_US);
    target_doubtful(t); /* wakes it: a second after a failure it asks again */
    addresses_unref(until_known(t));
    target_unref(t);
}

static void the_last_good_answer_is_kept(void **state) {
    (void)state;
    struct target *t = target_new(resolver, "backend.example", 80);
    struct addresses *first = until_known(t);
    broken = true;
    atomic_fetch_add(&rig_offset_us, 31 * RIG_SECOND_US);
    target_doubtful(t);
    until_asked(2);
    atomic_fetch_add(&rig_offset_us, 2 * RIG_SECOND_US);
    target_doubtful(t);
    until_asked(3); /* the second answer is judged by now */
    assert_true(refused >= 2);
    struct addresses *still = target_addresses(t);
    assert_ptr_equal(still, first);
    addresses_unref(still);
    addresses_unref(first);
    target_unref(t);
}

static void a_doubt_asks_again_but_not_at_once(void **state) {
    (void)state;
    struct target *t = target_new(resolver, "backend.example", 80);
    addresses_unref(until_known(t));
    for (int i = 0; i < 100; i++)
        target_doubtful(t);
    struct target *other = target_new(resolver, "other.example", 80);
    addresses_unref(until_known(other)); /* the thread has looked at what is due */
    assert_int_equal(asked, 2);
    atomic_fetch_add(&rig_offset_us, 1100000);
    target_doubtful(t);
    until_asked(3);
    target_unref(other);
    target_unref(t);
}

static void a_target_may_go_at_any_time(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct target *t = target_new(resolver, "backend.example", 80);
        target_ref(t);
        target_unref(t);
        target_doubtful(t);
        target_unref(t);
    }
    target_unref(NULL);
    addresses_unref(NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(a_numeric_address_is_known_at_once),
        TEST(a_name_is_asked_for_behind_the_caller),
        TEST(localhost_is_found_by_the_system),
        TEST(more_addresses_than_there_is_room_for_are_cut),
        TEST(a_name_that_does_not_resolve_has_no_address_until_it_does),
        TEST(the_last_good_answer_is_kept),
        TEST(a_doubt_asks_again_but_not_at_once),
        TEST(a_target_may_go_at_any_time),
    };
    return cmocka_run_group_tests(tests, rig_clock_on, rig_clock_off);
}
