/* YAML as a tree: lines, what is refused, bounds. */
#include "conf_text.h"

#include "../../conf/yaml_tree.h"

static struct node *parse(struct slice text, const char *expect) {
    struct problems problems = {0};
    struct node *root = tree_parse(text.ptr, text.len, &problems);
    char *printed = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&printed, &len);
    assert_non_null(out);
    conf_problems_print(problems.list, "f", out);
    (void)fclose(out);
    conf_problems_free(problems.list);
    assert_string_equal(printed, expect);
    free(printed);
    return root;
}

static void nodes_know_their_lines(void **state) {
    (void)state;
    struct node *root = parse(slice_of("# c\n"
                                       "a: 1\n"
                                       "b:\n"
                                       "  c:\n"
                                       "    [x,\n"
                                       "     {y: z}]\n"),
                              "");
    assert_int_equal(root->count, 2);
    assert_int_equal(tree_line(root, "a"), 2);
    assert_int_equal(tree_line(root, "b"), 3);
    assert_int_equal(tree_line(root, "b.c"), 4);
    assert_int_equal(tree_line(root, "b.c[0]"), 5);
    assert_int_equal(tree_line(root, "b.c[1].y"), 6);
    assert_string_equal(tree_find(root, "b.c[1].y")->text, "z");
    /* the nearest that exists */
    assert_int_equal(tree_line(root, "b.c[1].nothing.at.all"), 6);
    assert_int_equal(tree_line(root, "b.d"), 3);
    assert_null(tree_find(root, "b.c[2]"));
    assert_null(tree_find(root, "a.b"));
    assert_null(tree_find(root, "b[0]"));
    tree_free(root);
}

static void only_plain_nothing_is_empty(void **state) {
    (void)state;
    struct node *root = parse(slice_of("a:\nb: ~\nc: Null\nd: ''\ne: {}\nf: 'null'\n"), "");
    assert_true(node_is_empty(node_get(root, "a")));
    assert_true(node_is_empty(node_get(root, "b")));
    assert_true(node_is_empty(node_get(root, "c")));
    assert_false(node_is_empty(node_get(root, "d")));
    assert_false(node_is_empty(node_get(root, "e")));
    assert_false(node_is_empty(node_get(root, "f")));
    tree_free(root);
}

static void an_empty_text_is_an_empty_map(void **state) {
    (void)state;
    static const char *const texts[] = {"", "\n\n", "# only a comment\n", "\xef\xbb\xbf"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct node *root = parse(slice_of(texts[i]), "");
        assert_int_equal(root->kind, NODE_MAP);
        assert_int_equal(root->count, 0);
        tree_free(root);
    }
}

static void equal_keys_are_reported_and_the_first_is_kept(void **state) {
    (void)state;
    struct node *root = parse(slice_of("a: 1\nb: {c: 1, c: 2}\na: 3\n"),
                              "f:2: key \"c\" stands twice in one block; the first is in line 2\n"
                              "f:3: key \"a\" stands twice in one block; the first is in line 1\n");
    assert_string_equal(node_get(root, "a")->text, "1");
    tree_free(root);
}

static void what_is_not_plain_yaml_is_refused(void **state) {
    (void)state;
    static const struct {
        struct slice text;
        const char *expect;
    } cases[] = {
#define TEXT(t) {t, sizeof(t) - 1}
        {TEXT("a: &x 1\nb: *x\n"),
         "f:1: anchor \"x\": anchors and aliases are not supported; write the value out\n"
         "f:2: alias \"x\": anchors and aliases are not supported; write the value out\n"},
        {TEXT("{a: 1}: b\n"), "f:1: a list or a block cannot be a key\n"},
        {TEXT("a: 1\n---\nb: 2\n"), "f:2: a second YAML document begins here; one is allowed\n"},
        {TEXT("a: \"x\\0y\"\n"), "f:1: a NUL character is not allowed\n"},
        {TEXT("a: 1\nb: \xff\n"), "f:2: not readable as UTF-8 text: invalid leading UTF-8 octet\n"},
        {TEXT("a: 1\nb: \x01\n"),
         "f:2: not readable as UTF-8 text: control characters are not allowed\n"},
        {TEXT("a: 1\n\tb: 2\n"),
         "f:2: YAML syntax: found a tab character that violates indentation, while scanning a "
         "plain scalar\n"},
        {TEXT("a: [1, 2\nb: 3\n"),
         "f:2: YAML syntax: did not find expected ',' or ']', while parsing a flow sequence\n"},
        {TEXT("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"),
         "f:1: blocks are nested deeper than 16 levels\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_null(parse(cases[i].text, cases[i].expect));
}

static void tags_are_reported(void **state) {
    (void)state;
    tree_free(parse(slice_of("a: !!int 1\nb: !x {}\nc: ! d\n"),
                    "f:1: tag \"tag:yaml.org,2002:int\": tags are not supported; write the plain "
                    "value\n"
                    "f:2: tag \"!x\": tags are not supported; write the plain value\n"
                    "f:3: tag \"!\": tags are not supported; write the plain value\n"));
}

static void the_size_is_bounded(void **state) {
    (void)state;
    size_t len = TREE_BYTES_MAX + 1;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, ' ', len);
    assert_null(parse(slice(text, len), "f: the file is larger than 1 MiB\n"));
    tree_free(parse(slice(text, len - 1), ""));
    memset(text, '[', 1);
    for (size_t i = 1; i < 2 * TREE_NODES_MAX + 2; i += 2)
        memcpy(text + i, "1,", 2);
    assert_null(
        parse(slice(text, 2 * TREE_NODES_MAX + 3), "f:1: the file has more than 20000 values\n"));
    free(text);
}

/* Every beginning of a text is either read or refused; sanitizers watch. */
static void a_text_may_be_cut_anywhere(void **state) {
    (void)state;
    static const char text[] = "a: [1, {b: 'c', \"d\": |\n  e\n}]\nf: &x {g: !t *x}\n--- {}\n";
    for (size_t n = 0; n < sizeof(text); n++) {
        struct problems problems = {0};
        tree_free(tree_parse(text, n, &problems));
        conf_problems_free(problems.list);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_lines),
        cmocka_unit_test(only_plain_nothing_is_empty),
        cmocka_unit_test(an_empty_text_is_an_empty_map),
        cmocka_unit_test(equal_keys_are_reported_and_the_first_is_kept),
        cmocka_unit_test(what_is_not_plain_yaml_is_refused),
        cmocka_unit_test(tags_are_reported),
        cmocka_unit_test(the_size_is_bounded),
        cmocka_unit_test(a_text_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
