/* simdjson's DOM behind json.h: the one C++ file of the program. */
/* C lets a struct and a function share a name; g++ warns of struct slice and slice(). */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "json.h"
#pragma GCC diagnostic pop

#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#include <sys/mman.h>

#include <simdjson.h>

namespace dom = simdjson::dom;

struct json_parser {
    dom::parser dom;
    char *scratch = nullptr;
    size_t scratch_len = 0;
};

static_assert(simdjson::SIMDJSON_PADDING <= JSON_PADDING, "bodies need more padding");
static_assert(sizeof(dom::object) == sizeof(json_value::node) &&
                  std::is_trivially_copyable<dom::object>::value,
              "json_value.node must hold a dom::object");

/* Below this, memory for a document is taken at once: 64 KiB hold nearly all of GitHub's payloads.
 */
static constexpr size_t FIRST_CAPACITY = 64 * 1024;

static void read_value(const dom::element element, struct json_value *ret) {
    switch (element.type()) {
    case dom::element_type::OBJECT: {
        const dom::object members = element.get_object().value_unsafe();
        std::memcpy(ret->node, &members, sizeof ret->node);
        ret->kind = JSON_OBJECT;
        break;
    }
    case dom::element_type::STRING: {
        const std::string_view text = element.get_string().value_unsafe();
        ret->text = slice(text.data(), text.size());
        ret->kind = JSON_TEXT;
        break;
    }
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
        ret->kind = element.get(ret->number) ? JSON_NUMBER : JSON_UNSIGNED;
        break;
    case dom::element_type::DOUBLE:
        ret->kind = JSON_NUMBER;
        break;
    case dom::element_type::ARRAY:
        ret->kind = JSON_ARRAY;
        break;
    case dom::element_type::BOOL:
        ret->kind = JSON_BOOL;
        break;
    case dom::element_type::NULL_VALUE:
        ret->kind = JSON_NULL;
        break;
    }
}

/* malloc gives so much, and more, as a mapping of its own: glibc's DEFAULT_MMAP_THRESHOLD_MAX. */
static constexpr size_t OWN_MAPPING = 32 * 1024 * 1024;

/* Memory that is given back after one document costs a fault for every page, so the pages had
 * better be huge; where the system has none nothing changes. */
static void want_huge_pages(void *memory, size_t len) {
    static constexpr uintptr_t PAGE = 4096;
    if (len < OWN_MAPPING) {
        return;
    }
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + PAGE - 1) & ~(PAGE - 1);
    const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + len) & ~(PAGE - 1);
    (void)madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
}

/* Grown by doubling up to JSON_KEEP_MAX, so that slowly growing bodies do not allocate each time.
 */
static simdjson::error_code reserve(struct json_parser *p, size_t len) {
    if (len <= p->dom.capacity() && len <= p->dom.doc.capacity()) {
        return simdjson::SUCCESS;
    }
    size_t capacity = len;
    if (len <= JSON_KEEP_MAX) {
        for (capacity = FIRST_CAPACITY; capacity < len;) {
            capacity *= 2;
        }
    }
    simdjson::error_code error = p->dom.allocate(capacity);
    if (!error) {
        error = p->dom.doc.allocate(capacity);
    }
    if (!error) {
        want_huge_pages(p->dom.doc.tape.get(), sizeof(uint64_t) * capacity);
        want_huge_pages(p->dom.doc.string_buf.get(), 5 * capacity / 3);
        want_huge_pages(p->dom.implementation->structural_indexes.get(),
                        sizeof(uint32_t) * capacity);
    }
    return error;
}

static const char *problem_of(simdjson::error_code error) {
    switch (error) {
    case simdjson::EMPTY:
        return "it is empty";
    case simdjson::DEPTH_ERROR:
        return "it is nested deeper than 1024 levels";
    case simdjson::STRING_ERROR:
        return "a string has a bad escape";
    case simdjson::UNESCAPED_CHARS:
        return "a string has an unescaped control character";
    case simdjson::UNCLOSED_STRING:
        return "a string is not closed";
    case simdjson::UTF8_ERROR:
        return "it is not UTF-8";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
        return "a word is none of true, false, null";
    default:
        return "brackets, commas or colons are out of place, or something stands before or behind "
               "it";
    }
}

/* The first from `member` on whose name has one of the lengths. Nearly all are passed over here, so
 * nothing is written: what the iterators look up stays in registers. */
static dom::object::iterator next_of_length(dom::object::iterator member,
                                            const dom::object::iterator end, uint64_t lengths) {
    while (member != end && !(lengths >> member.key_length() % 64 & 1)) {
        ++member;
    }
    return member;
}

/* Most keys of the right length differ in the first letter. */
static bool has_name(const dom::object::iterator &member, struct slice name) {
    return *member.key_c_str() == *name.ptr &&
           member.key_equals(std::string_view(name.ptr, name.len));
}

extern "C" {

struct json_parser *json_parser_new(void) {
    return new (std::nothrow) json_parser;
}

void json_parser_free(struct json_parser *p) {
    if (p != nullptr) {
        std::free(p->scratch);
    }
    delete p;
}

enum json_result json_parse(struct json_parser *p, struct slice text, struct json_value *ret_root,
                            const char **ret_problem) {
    dom::element root;
    simdjson::error_code error = reserve(p, text.len);
    if (!error) {
        error = p->dom.parse(text.len ? text.ptr : "", text.len, false).get(root);
    }
    if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
        return JSON_MEMORY;
    }
    if (error == simdjson::NUMBER_ERROR) {
        return JSON_RANGE;
    }
    if (error) {
        *ret_problem = problem_of(error);
        return JSON_BAD;
    }
    read_value(root, ret_root);
    return JSON_OK;
}

void json_pick(const struct json_value *object, struct json_field *fields, size_t count) {
    dom::object members;
    if (object->kind != JSON_OBJECT) {
        return;
    }
    std::memcpy(&members, object->node, sizeof members);
    uint64_t lengths = 0; /* a bit for each length of a name, modulo 64 */
    for (size_t i = 0; i < count; i++) {
        lengths |= UINT64_C(1) << fields[i].name.len % 64;
    }
    const auto end = members.end();
    auto member = members.begin();
    for (; (member = next_of_length(member, end, lengths)) != end; ++member) {
        struct json_field *field = fields;
        while (field < fields + count && !has_name(member, field->name)) {
            field++;
        }
        if (field == fields + count) {
            continue;
        }
        if (field->value.kind == JSON_ABSENT) {
            read_value(member.value(), &field->value);
        } else {
            field->twice = true;
        }
    }
}

char *json_scratch(struct json_parser *p, size_t len) {
    if (p->scratch == nullptr || p->scratch_len < len) {
        size_t grown = len > JSON_KEEP_MAX || len > 2 * p->scratch_len ? len : 2 * p->scratch_len;
        char *scratch = static_cast<char *>(std::malloc(grown + JSON_PADDING));
        if (scratch == nullptr) {
            return nullptr;
        }
        std::free(p->scratch);
        p->scratch = scratch;
        p->scratch_len = grown;
    }
    return p->scratch;
}

void json_trim(struct json_parser *p) {
    if (p->dom.capacity() > JSON_KEEP_MAX) {
        p->dom = dom::parser();
    }
    if (p->scratch_len > JSON_KEEP_MAX) {
        std::free(p->scratch);
        p->scratch = nullptr;
        p->scratch_len = 0;
    }
}

} /* extern "C" */
