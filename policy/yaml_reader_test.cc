#include "reeve/policy/yaml_reader.h"

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/yaml_document.h"

namespace reeve {
namespace {

// --- The tree as text: [items] {key: value}, plain text as it is, other text between its marks.
// ---

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
  return out;
}

std::string Print(YamlNode node) {
  switch (node.kind()) {
    case YamlKind::kSequence: {
      std::string out;
      for (const YamlNode item : node.items()) out += (out.empty() ? "" : ", ") + Print(item);
      return "[" + out + "]";
    }
    case YamlKind::kMapping: {
      std::string out;
      for (const auto [key, value] : node.members()) {
        out += (out.empty() ? "" : ", ") + Print(key) + ": " + Print(value);
      }
      return "{" + out + "}";
    }
    case YamlKind::kScalar:
      break;
  }
  if (node.IsAbsent()) return "(absent)";
  if (node.IsNull()) return "(null)";
  const std::string marks[] = {"", "'", "\"", "|", ">"};
  const std::string& mark = marks[static_cast<int>(node.style())];
  return mark + Escaped(node.text()) + mark;
}

// The tree, or the issues a line each.
std::string ReadAndPrint(std::string input, const YamlLimits& limits = {}) {
  std::vector<Issue> issues;
  const std::optional<YamlDocument> document =
      ReadYaml("policy.yaml", std::move(input), limits, &issues);
  EXPECT_EQ(document.has_value(), issues.empty());
  if (document.has_value()) return Print(document->root());
  std::string out;
  for (const Issue& issue : issues) {
    EXPECT_EQ(issue.file, "policy.yaml");
    EXPECT_EQ(issue.severity, Issue::Severity::kError);
    if (!out.empty()) out += "\n";
    out += std::to_string(issue.position.line) + ":" + std::to_string(issue.position.column) +
           ": " + issue.message;
  }
  return out;
}

struct Case {
  const char* name;
  std::string input;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }
std::string NameOf(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class YamlReaderTest : public testing::TestWithParam<Case> {};

TEST_P(YamlReaderTest, ReadsOrSaysWhatIsWrong) {
  const Case& c = GetParam();
  EXPECT_EQ(ReadAndPrint(c.input), c.want) << c.input;
}

// A literal that may hold NULs.
template <size_t n>
std::string Bytes(const char (&literal)[n]) {
  return std::string(literal, n - 1);
}

const Case kTaken[] = {
    // The whole file.
    {"EmptyFile", "", "(absent)"},
    {"OnlyComments", "# a\n\n  # b\n", "(absent)"},
    {"MarkersAlone", "---\n...\n", "(absent)"},
    {"Markers", "# a\n--- # b\nk: v\n... # c\n# d\n", "{k: v}"},
    {"TextBehindMarker", "--- text\n", "text"},
    {"NoFinalLineFeed", "k: v", "{k: v}"},
    {"ByteOrderMark", "\xEF\xBB\xBFk: v\n", "{k: v}"},
    {"CarriageReturns", "a: b\r\nc: |\r\n  d\r\n  e\r\nf: 'g\r\n  h'\r\ni: j\r\n  k\r\n",
     "{a: b, c: |d\\ne\\n|, f: 'g h', i: j k}"},
    // Block collections.
    {"Nested", "a:\n  b:\n    c: 1\n  d: 2\ne: 3\n", "{a: {b: {c: 1}, d: 2}, e: 3}"},
    {"ItemsBelowTheirKey", "a:\n- 1\n- b: 2\n  c: 3\nd:\n  - 4\n",
     "{a: [1, {b: 2, c: 3}], d: [4]}"},
    {"CompactItems", "- - 1\n  - 2\n-\n  - 3\n", "[[1, 2], [3]]"},
    {"ValueOnNextLine", "a:\n  text\nb:\n\n  # c\n  'd'\n", "{a: text, b: 'd'}"},
    {"SpaceBeforeColon", "a b : c\n'd' : e\n", "{a b: c, 'd': e}"},
    {"NotConflictMarkers", "<<<<<<<< : 1\n====== : 2\n", "{<<<<<<<<: 1, ======: 2}"},
    {"CommentsAnywhere", "a: # x\n# y\n    # z\n  - 1 # w\n # v\n  - 2\n", "{a: [1, 2]}"},
    {"TabsBehindValues", "a: b\t\nc: d\t# e\tf\n", "{a: b, c: d}"},
    {"TabsBehindKeys", "a:\t# x\n  b:\t\n    c\n", "{a: {b: c}}"},
    // Nulls.
    {"Nulls", "a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: nULL\ng: ''\nh: 'null'\n",
     "{a: (absent), b: (null), c: (null), d: (null), e: (null), f: nULL, g: '', h: 'null'}"},
    {"AbsentItems", "-\n- 1\n-\n", "[(absent), 1, (absent)]"},
    {"AbsentInFlow", "{a: , b:}\n", "{a: (absent), b: (absent)}"},
    // Flow collections.
    {"Flow", "{a: [1, 'b', {\"c\":2}], d: []}\n", "{a: [1, 'b', {\"c\": 2}], d: []}"},
    {"FlowOnManyLines", "a: [ # x\n  b,\n\n  # y\n  c,\n  ]\nd: 1\n", "{a: [b, c], d: 1}"},
    {"CommentAtTheMarginInFlow", "a: [\n# x\n  b ]\n", "{a: [b]}"},
    {"PatternsInFlow", "[group:staff, doc:/a/**, user:ada@X.Y, http://h/p#q, doc.*, -1]\n",
     "[group:staff, doc:/a/**, user:ada@X.Y, http://h/p#q, doc.*, -1]"},
    // Plain text.
    {"Plain", "- a != b && !c || d | e > f\n- a#b\n- a:b\n- -a\n- ?b\n- :c\n- 010\n- yes\n",
     "[a != b && !c || d | e > f, a#b, a:b, -a, ?b, :c, 010, yes]"},
    {"PlainOnManyLines", "a: b\n  && c\n\n\n  d # e\nf: g\n", "{a: b && c\\n\\nd, f: g}"},
    {"PlainOnManyLinesAtTheTop", "a\nb\n", "a b"},
    {"QuestionMark", "a: b ? c:d\n", "{a: b ? c:d}"},
    // Quotes.
    {"SingleQuotes", "'it''s # \"\\n\": '\n", "'it's # \"\\n\": '"},
    {"DoubleQuotes",
     R"("\" \\ \/ \t \n \x41 \u00e9 \U0001F600")"
     "\n",
     "\"\" \\ / \\t \\n A \xC3\xA9 \xF0\x9F\x98\x80\""},
    {"QuotesOnManyLines", "- 'a  \n\n  b '\n- \"a \\\n   b\\n\n   c\"\n",
     "['a\\nb ', \"a b\\n c\"]"},
    // Blocks of text.
    {"Literal", "a: |\n  b\n    c\n\n  d # e\n\n\nf: 1\n", "{a: |b\\n  c\\n\\nd # e\\n|, f: 1}"},
    {"LiteralStripAndKeep", "a: |-\n  b\n\nc: |+\n  d\n\n", "{a: |b|, c: |d\\n\\n|}"},
    {"LiteralWithoutText", "a: |\nb: |+\n\nc: 1\n", "{a: ||, b: |\\n|, c: 1}"},
    {"LiteralThenComment", "a:\n  b: | # c\n    d\n   # e\n  f: 1\n", "{a: {b: |d\\n|, f: 1}}"},
    {"StrippedLiteralAtTheEnd", "a: |-\n  b", "{a: |b|}"},
    {"Folded", "a: >\n  b\n  c\n\n  d\n    e\n    f\n  g\n", "{a: >b c\\nd\\n  e\\n  f\\ng\\n>}"},
    // Keys.
    {"KeysThatLookLikeOthers", "1: a\ntrue: b\n'null': c\n'<<': d\n'': e\n",
     "{1: a, true: b, 'null': c, '<<': d, '': e}"},
    {"SameKeyElsewhere", "a: {k: 1}\nb: {k: 2}\n", "{a: {k: 1}, b: {k: 2}}"},
};
INSTANTIATE_TEST_SUITE_P(Taken, YamlReaderTest, testing::ValuesIn(kTaken), NameOf);

const Case kCharacters[] = {
    {"Overlong", "k: \xC0\xAF\n", "1:4: byte 0xc0 is not valid UTF-8 here; save the file as UTF-8"},
    {"OverlongOfThree", "k: \xE0\x80\xAF\n",
     "1:4: byte 0xe0 is not valid UTF-8 here; save the file as UTF-8"},
    {"Surrogate", "k: \xED\xA0\x80\n",
     "1:4: byte 0xed is not valid UTF-8 here; save the file as UTF-8"},
    {"AboveUnicode", "k: \xF4\x90\x80\x80\n",
     "1:4: byte 0xf4 is not valid UTF-8 here; save the file as UTF-8"},
    {"TruncatedAtTheEnd", "# \xC3\xA9\xC3",
     "1:4: byte 0xc3 is not valid UTF-8 here; save the file as UTF-8"},
    {"Latin1OnlyOnce", "k: caf\xE9\nl: caf\xE9\n",
     "1:7: byte 0xe9 is not valid UTF-8 here; save the file as UTF-8"},
    {"Utf16", Bytes("\xFF\xFEk\0"), "1:1: the file looks like UTF-16; save it as UTF-8"},
    {"Utf16BigEndian", Bytes("\xFE\xFF\0k"), "1:1: the file looks like UTF-16; save it as UTF-8"},
    {"Utf16WithoutMark", Bytes("k\0:\0"), "1:1: the file looks like UTF-16; save it as UTF-8"},
    {"Utf32", Bytes("\xFF\xFE\0\0k\0\0\0"), "1:1: the file looks like UTF-32; save it as UTF-8"},
    {"Utf32BigEndian", Bytes("\0\0\0k"), "1:1: the file looks like UTF-32; save it as UTF-8"},
    {"Nul", Bytes("k: a\0b\n"), "1:5: control character U+0000; remove it"},
    {"ControlsEach", "k: \x1B[2J\nl: \x7F\n",
     "1:4: control character U+001B; remove it\n2:4: control character U+007F; remove it"},
    {"NextLine", "k: \xC2\x85\n", "1:4: control character U+0085; remove it"},
    {"LoneReturn", "a: 1\rb: 2\r",
     "1:5: carriage return without a line feed; end lines with a line feed"},
    {"SecondByteOrderMark", "\xEF\xBB\xBF\xEF\xBB\xBFk: v\n",
     "1:1: hidden character U+FEFF, a byte order mark, is not at the start of the file; remove it"},
    {"HiddenEachAndTheRest", "\"\xC3\xA9\xE2\x80\x8B\": 1\n# \xE2\x80\xAE\nb: 1\nb: 2\n",
     "1:3: hidden character U+200B; remove it\n2:3: hidden character U+202E; remove it\n"
     "4:1: key `b` is given twice; first at 3:1"},
    {"LineSeparator", "# a\xE2\x80\xA8rules:\n", "1:4: hidden character U+2028; remove it"},
    {"Conflict", "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> theirs\n",
     "2:1: `<<<<<<<` is left from a merge conflict; resolve it, then remove the marker lines"},
    {"RestOfAConflict", "b: 3\n>>>>>>> theirs\n",
     "2:1: `>>>>>>>` is left from a merge conflict; resolve it, then remove the marker lines"},
};
INSTANTIATE_TEST_SUITE_P(Characters, YamlReaderTest, testing::ValuesIn(kCharacters), NameOf);

const Case kRefused[] = {
    // What Reeve leaves out.
    {"Directive", "%YAML 1.2\n---\na: 1\n",
     "1:1: directive `%YAML 1.2` is not supported; remove the line"},
    {"SecondDocument", "a: 1\n---\nb: 1\n",
     "2:1: a second document begins here; a file holds exactly one"},
    {"BehindTheDocument", "a: 1\n...\nb: 1\n",
     "3:1: `b: 1` stands behind `...`, the end of the document"},
    {"BehindTheMarker", "a: 1\n... b\n", "2:5: `b` stands behind `...`; begin a new line"},
    {"AnchorsAndAliases", "a: &x [1, *x]\nb: *x\n",
     "1:4: YAML anchor `&x` is not supported; write the value out where it is used, or put the "
     "whole "
     "text in quotes\n"
     "1:11: text that begins with `*` is a YAML alias, which is not supported: `*x`; put it in "
     "quotes "
     "if it is a pattern, else write the value out\n"
     "2:4: text that begins with `*` is a YAML alias, which is not supported: `*x`; put it in "
     "quotes "
     "if it is a pattern, else write the value out"},
    {"BareStar", "a: *\nb: [*]\n",
     "1:4: a bare `*` is a YAML alias; write `\"*\"` in quotes, or `any`, or `**`\n"
     "2:5: a bare `*` is a YAML alias; write `\"*\"` in quotes, or `any`, or `**`"},
    {"NegationIsATag", "when: !a\n",
     "1:7: YAML tag `!a` is not supported; put the whole text in quotes if the `!` is part of it"},
    {"NegatedExpressionOnce", "when: !(a) && !b\n",
     "1:7: YAML tag `!(a)` is not supported; put the whole text in quotes if the `!` is part of "
     "it"},
    {"TagsOfAllKinds", "- !!str a\n- ! b\n- !<t:x> [c]\n- !!map\n  d: 1\n",
     "1:3: YAML tag `!!str` is not supported; put the whole text in quotes if the `!` is part of "
     "it\n"
     "2:3: YAML tag `!` is not supported; put the whole text in quotes if the `!` is part of it\n"
     "3:3: YAML tag `!<t:x>` is not supported; put the whole text in quotes if the `!` is part of "
     "it\n"
     "4:3: YAML tag `!!map` is not supported; put the whole text in quotes if the `!` is part of "
     "it"},
    {"MergeKey", "<<: {a: 1}\n", "1:1: merge key `<<` is not supported; write the keys out"},
    {"ComplexKey", "? a\n: b\n",
     "1:1: `? ` begins a complex key, which is not supported; write `key: value`, or put the whole "
     "text in quotes"},
    {"ListAsKey", "[a]: b\n", "1:4: a key must be text, not a list or a mapping"},
    {"MappingAsKeyInFlow", "{{a: 1}: b}\n", "1:2: a key must be text, not a list or a mapping"},
    {"EmptyKey", ": a\n",
     "1:1: no key before this `:`; write one, or put the whole text in quotes"},
    {"NullKeys", "null: a\n~: b\n",
     "1:1: key `null` is null; put it in quotes if it is meant as text\n"
     "2:1: key `~` is null; put it in quotes if it is meant as text"},
    {"KeyOnTwoLines", "'a\n  b': c\n", "1:1: a key must stand on one line"},
    {"PairInAList", "[a: b]\n",
     "1:3: `:` makes a key of `a`, which is not in a `{...}` of its own; put the text in quotes, "
     "or "
     "the key and its value in braces"},
    {"KeyWithoutValueInFlow", "{a, b: 1}\n",
     "1:2: key `a` has no value; write `: ` and the value on its line, or put the whole text in "
     "quotes"},
    {"IndentationIndicator", "a: |2\n    b\n",
     "1:5: indentation indicator `2` is not supported; begin the text's first line without extra "
     "spaces, or quote the text"},
    {"BlockAtTheEndOfTheFile", "a: |\n  b",
     "2:4: the file ends within a block of text; end its last line with a line feed"},
    {"ReadersDiffer", "[a ?b]\n",
     "1:4: readers of YAML differ about what is written here; put the text in double quotes, on "
     "one "
     "line"},
    {"ReadersDifferInText", "a: >+\n  b\n\n",
     "1:4: readers of YAML differ about what is written here; put the text in double quotes, on "
     "one "
     "line"},
    // Duplicate keys.
    {"DuplicateAfterUnquoting", "a:\n  effect: allow\n  \"\\x65ffect\": deny\n",
     "3:3: key `effect` is given twice; first at 2:3"},
    {"DuplicatesAllOver", "a: {b: 1, 'b': 2}\nc:\n- d: 1\n  d: 2\n  d: 3\na: 3\n",
     "1:11: key `b` is given twice; first at 1:5\n4:3: key `d` is given twice; first at 3:3\n"
     "5:3: key `d` is given twice; first at 3:3\n6:1: key `a` is given twice; first at 1:1"},
    {"DuplicateAmongMany",
     "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\nh: 1\ni: 1\nc: 2\n\"a\": 2\nc: 3\n",
     "10:1: key `c` is given twice; first at 3:1\n11:1: key `a` is given twice; first at 1:1\n"
     "12:1: key `c` is given twice; first at 3:1"},
    {"DuplicateBeforeAFault", "a: {b: 1}\na: 2\nc: [\n",
     "2:1: key `a` is given twice; first at 1:1\n3:4: `[` is never closed"},
    // Indentation.
    {"TabIndents", "a:\n\t- b\n", "2:1: a tab may not separate or indent; use spaces"},
    {"TabSeparates", "a:\tb\n", "1:3: a tab may not separate or indent; use spaces"},
    {"TooShallow", "a:\n    b: 1\n  c: 2\n",
     "3:3: `c: 2` is indented differently from all that it could belong to; align it with the "
     "entries "
     "above"},
    {"TooDeep", "a:\n  b: 'x'\n   c: 2\n",
     "3:4: `c: 2` is indented differently from all that it could belong to; align it with the "
     "entries "
     "above"},
    {"KeyContinuesText", "a: x\n  b: 2\n",
     "2:4: `b: 2` is indented as if it continued the text at 1:4, where `: ` may not stand; align "
     "it "
     "with its keys, or put the whole text in quotes"},
    {"KeyAmongItems", "a:\n  - b\n  c: 1\n",
     "3:3: `c: 1` is no item of the list that begins at 2:3; begin it with `- `, or indent it "
     "differently"},
    {"ItemAmongKeys", "a: 1\n- b\n",
     "2:1: a list item, `- b`, stands among the keys that begin at 1:1; indent it differently"},
    {"ItemBehindKey", "a: - b\n",
     "1:4: a list item may not begin on this line; begin it on the next one, or quote the text"},
    {"KeyBehindMarker", "--- a: b\n",
     "1:6: keys may not begin on the line of `---`; begin on the next line"},
    {"LongEmptyLineBeforeABlock", "a: |\n    \n  b\n",
     "2:1: an empty line with more spaces than the text below it; remove the spaces"},
    {"TextBehindBlockHeader", "a: > b\n",
     "1:6: `b` stands behind `>`; begin the text on the next line, or put the whole value in "
     "quotes"},
    // Values that want quotes.
    {"Ternary", "when: a ? b : x: y\n",
     "1:13: `: ` inside the value `a ? b : x: y` makes a key of it; put the whole value in quotes"},
    {"QuoteThenText", "when: \"admin\" in roles\n",
     "1:15: `in roles` stands behind the closing quote at 1:13; put the whole value in quotes, or "
     "write it below a `|`"},
    {"QuoteThenKey", "a: 'b': c\n",
     "1:7: `: ` inside the value `'b': c` makes a key of it; put the whole value in quotes"},
    {"BracketThenText", "a: [b] c\n",
     "1:8: `c` stands behind the closing bracket at 1:6; put the whole value in quotes, or begin a "
     "new line"},
    {"BraceInAPattern", "[/home/{name}]\n",
     "1:8: no `,` before `{name}]`; write one, or put the whole text in quotes"},
    {"ReservedIndicators", "a: @b\n",
     "1:4: `@` may not begin unquoted text; put the whole text in quotes"},
    {"BackQuote", "a: `b`\n",
     "1:4: a back-quote may not begin unquoted text; put the whole text in quotes"},
    {"NoColon", "a: 1\nb\nc: 2\n",
     "2:1: `b` stands where a key is expected; write `key: value`, or indent it to continue the "
     "line "
     "above"},
    {"CommentWithoutSpace", "a: 'b'#c\n", "1:7: a comment begins without a space before the `#`"},
    {"TextAfterAComment", "a: b # c\n  d\n",
     "2:3: `d` is indented differently from all that it could belong to; align it with the entries "
     "above"},
    // Quotes.
    {"UnclosedQuote", "a: \"b\nc: d\n",
     "1:4: no closing quote for `\"b` before 2:1; close it, or indent the lines that it goes on "
     "to"},
    {"UnclosedQuoteAtTheEnd", "a: 'b\n  c\n",
     "1:4: no closing quote for `'b` before 3:1; close it, or indent the lines that it goes on to"},
    {"TabIndentsInQuotes", "a: \"b\n\tc\"\n",
     "1:4: no closing quote for `\"b` before 2:1; close it, or indent the lines that it goes on "
     "to"},
    {"MarkerInQuotes", "'a\n---\nb'\n",
     "1:1: no closing quote for `'a` before 2:1; close it, or indent the lines that it goes on to"},
    {"BadEscapesEach", "a: \"\\d \\\xC3\xA9 \\u12 \\ud800 \\U00110000\"\n",
     "1:5: `\\d` is no escape that YAML knows; for a backslash write `\\\\`, or use single quotes\n"
     "1:8: `\\\xC3\xA9` is no escape that YAML knows; for a backslash write `\\\\`, or use single "
     "quotes\n"
     "1:11: `\\u12` is no escape that YAML knows; for a backslash write `\\\\`, or use single "
     "quotes\n"
     "1:16: `\\ud800` is no escape that YAML knows; for a backslash write `\\\\`, or use single "
     "quotes\n"
     "1:23: `\\U00110000` is no escape that YAML knows; for a backslash write `\\\\`, or use "
     "single "
     "quotes"},
    {"EscapedControls", "- \"\\0\\a\\r\"\n- \"\\x7f\\N\\u202e\"\n",
     "1:4: `\\0` stands for control character U+0000; remove it\n"
     "1:6: `\\a` stands for control character U+0007; remove it\n"
     "1:8: `\\r` stands for control character U+000D; remove it\n"
     "2:4: `\\x7f` stands for control character U+007F; remove it\n"
     "2:8: `\\N` stands for control character U+0085; remove it\n"
     "2:10: `\\u202e` stands for hidden character U+202E; remove it"},
    // Flow collections.
    {"UnclosedBracket", "a: [b, {c: d\n", "1:8: `{` is never closed"},
    {"BracketClosedByBrace", "[a}\n", "1:3: `}` does not close the `[` at 1:1"},
    {"ClosedTwice", "[a]]\n",
     "1:4: `]` stands behind the closing bracket at 1:3; put the whole value in quotes, or begin a "
     "new "
     "line"},
    {"TwoCommas", "[a,, b]\n", "1:4: nothing stands before this `,`; remove it"},
    {"MissingComma", "[a\n b]\n",
     "2:2: no `,` before `b]`; write one, or put the whole text in quotes"},
    {"DashInFlow", "[-]\n",
     "1:2: a lone `-` begins a list item, which may not stand here; quote it"},
    {"FlowNotIndented", "a: [\n  b\n]\n",
     "3:1: `]` is inside the `[` at 1:4; close that, or indent this line more than the line where "
     "its "
     "key stands"},
    {"CommentInFlowWithoutSpace", "[a,#b\n c]\n",
     "1:4: a comment begins without a space before the `#`"},
    // User text in messages.
    {"LongText", "a: " + std::string(100, 'x') + ": y\n",
     "1:104: `: ` inside the value `" + std::string(60, 'x') +
         "...` makes a key of it; put the whole value in quotes"},
    {"ColumnsAreCodePoints", "\xC3\xA9\xC3\xA9: '\xF0\x9F\x98\x80' x\n",
     "1:9: `x` stands behind the closing quote at 1:7; put the whole value in quotes, or write it "
     "below a `|`"},
};
INSTANTIATE_TEST_SUITE_P(Refused, YamlReaderTest, testing::ValuesIn(kRefused), NameOf);

// --- Limits ---

TEST(YamlReaderLimits, Bytes) {
  YamlLimits limits;
  limits.max_bytes = 4;
  EXPECT_EQ(ReadAndPrint("a: b", limits), "{a: b}");
  EXPECT_EQ(ReadAndPrint("a: bc", limits),
            "0:0: the file has 5 bytes; at most 4 are allowed; divide it into several");
}

TEST(YamlReaderLimits, Depth) {
  YamlLimits limits;
  limits.max_depth = 2;
  EXPECT_EQ(ReadAndPrint("a: [b]", limits), "{a: [b]}");
  EXPECT_EQ(ReadAndPrint("a: [[b]]", limits), "1:5: nested deeper than 2 levels");
  EXPECT_EQ(ReadAndPrint("- - - b", limits), "1:5: nested deeper than 2 levels");
}

TEST(YamlReaderLimits, DepthIsCheckedBeforeAnythingRecurses) {
  EXPECT_EQ(ReadAndPrint(std::string(1000000, '[')), "1:33: nested deeper than 32 levels");
  YamlLimits limits;
  limits.max_depth = 1000000;  // Is taken as 256.
  EXPECT_EQ(ReadAndPrint(std::string(1000000, '['), limits),
            "1:257: nested deeper than 256 levels");
  EXPECT_EQ(ReadAndPrint(std::string(256, '[') + std::string(256, ']'), limits),
            std::string(256, '[') + std::string(256, ']'));
}

TEST(YamlReaderLimits, Nodes) {
  YamlLimits limits;
  limits.max_nodes = 4;
  EXPECT_EQ(ReadAndPrint("[a, b, c]", limits), "[a, b, c]");
  EXPECT_EQ(ReadAndPrint("[a, b, c, d]", limits),
            "1:11: more than 4 values in one file; divide it into several");
}

TEST(YamlReaderLimits, ScalarsAndKeys) {
  YamlLimits limits;
  limits.max_scalar_bytes = 3;
  EXPECT_EQ(ReadAndPrint("['abc', \"\\x61bc\"]", limits), "['abc', \"abc\"]");
  EXPECT_EQ(
      ReadAndPrint("[abcd, 'abcd']", limits),
      "1:2: text of 4 bytes; at most 3 are allowed\n1:8: text of 4 bytes; at most 3 are allowed");
  const std::string key(1024, 'k');
  EXPECT_EQ(ReadAndPrint(key + ": 1"), "{" + key + ": 1}");
  EXPECT_EQ(ReadAndPrint(key + "k: 1"), "1:1: key of 1025 bytes; at most 1024 are allowed");
}

TEST(YamlReaderLimits, Issues) {
  YamlLimits limits;
  limits.max_issues = 2;
  EXPECT_EQ(ReadAndPrint("[*, *]", limits).find("problems"), std::string::npos);
  const std::string got = ReadAndPrint("[*, *, *]", limits);
  EXPECT_NE(got.find("\n0:0: more than 2 problems; the rest are not shown"), std::string::npos)
      << got;
}

TEST(YamlReader, AddsToTheIssuesThatAreThere) {
  std::vector<Issue> issues(1);
  EXPECT_FALSE(ReadYaml("a.yaml", "[", {}, &issues).has_value());
  ASSERT_EQ(issues.size(), 2u);
  EXPECT_EQ(ToString(issues[1]), "a.yaml:1:1: `[` is never closed");
}

// --- Places ---

TEST(YamlNodePosition, IsWhereTheNodeBegins) {
  std::vector<Issue> issues;
  const auto document =
      ReadYaml("f", "\xC3\xA9:\n  - 'x'\n  - [y, z]\n  -\n  - |\n    t\n", {}, &issues);
  ASSERT_TRUE(document.has_value());
  const YamlNode root = document->root();
  EXPECT_EQ(root.position(), (Position{1, 1}));
  EXPECT_EQ(root.size(), 1u);
  const auto [key, list] = *root.members().begin();
  EXPECT_EQ(key.position(), (Position{1, 1}));
  EXPECT_EQ(list.position(), (Position{2, 3}));
  EXPECT_EQ(list.size(), 4u);
  std::vector<Position> places;
  for (const YamlNode item : list.items()) places.push_back(item.position());
  const std::vector<Position> want = {{2, 5}, {3, 5}, {4, 4}, {5, 5}};
  EXPECT_EQ(places, want);
}

TEST(YamlNodePosition, IsFoundInALongLineOfWideCharacters) {
  std::string input = "- '";
  for (int i = 0; i < 10000; ++i) input += "\xC3\xA9";
  std::vector<Issue> issues;
  const auto document = ReadYaml("f", input + "'\n- x\n", {}, &issues);
  ASSERT_TRUE(document.has_value());
  const YamlNode text = *document->root().items().begin();
  EXPECT_EQ(text.PositionInScalar(0), (Position{1, 4}));
  EXPECT_EQ(text.PositionInScalar(2 * 5000), (Position{1, 5004}));
  EXPECT_EQ(text.PositionInScalar(2 * 10000), (Position{1, 10004}));
}

// The place of the first `@` in the text of the first value; of the text's end, if it has none.
struct PlaceCase {
  const char* name;
  std::string input;
  Position want;
};
std::ostream& operator<<(std::ostream& os, const PlaceCase& c) { return os << c.name; }

class PositionInScalarTest : public testing::TestWithParam<PlaceCase> {};

TEST_P(PositionInScalarTest, IsWhereTheAuthorWroteIt) {
  const PlaceCase& c = GetParam();
  std::vector<Issue> issues;
  const auto document = ReadYaml("f", c.input, {}, &issues);
  ASSERT_TRUE(document.has_value()) << ToString(issues[0]);
  const YamlNode value = (*document->root().members().begin()).value;
  const size_t at = value.text().find('@');
  const Position got =
      value.PositionInScalar(at == std::string_view::npos ? value.text().size() : at);
  EXPECT_EQ(got, c.want) << got.line << ":" << got.column;
}

const PlaceCase kPlaces[] = {
    {"Plain", "a: bc@d\n", {1, 6}},
    {"PlainFirst", "a: b\n", {1, 5}},
    {"PlainEnd", "a: bcd  # e\n", {1, 7}},
    {"PlainSecondLine", "a: bc\n   d@ # e\n", {2, 5}},
    {"PlainBehindEmptyLines", "a: bc\n\n\n d@\n", {4, 3}},
    {"PlainManyLinesEnd", "a: bc\n   de  # f\nb: 1\n", {2, 6}},
    {"Absent", "a:\n", {1, 3}},
    {"Single", "a: 'b@'\n", {1, 6}},
    {"SingleBehindDoubledQuotes", "a: 'x == ''y'' @'\n", {1, 16}},
    {"SingleSecondLine", "a: 'b  \n\n   c''@'\n", {3, 7}},
    {"SingleEnd", "a: 'b'''\n", {1, 8}},
    {"SingleEmptyEnd", "a: ''\n", {1, 5}},
    {"Double", "a: \"b@\"\n", {1, 6}},
    {"DoubleBehindEscapes", "a: \"\\\"\\u00e9\\x41@\"\n", {1, 17}},
    {"DoubleEscapedItself", "a: \"b\\x40\"\n", {1, 6}},
    {"DoubleBehindEscapedBreak", "a: \"b\\\n   c@\"\n", {2, 5}},
    {"DoubleSecondLine", "a: \"b\n   c @\"\n", {2, 6}},
    {"DoubleWide", "a: \"\xC3\xA9\xF0\x9F\x98\x80@\"\n", {1, 7}},
    {"DoubleEnd", "a: \"b\\n\"\n", {1, 8}},
    {"Literal", "a: |\n  b\n  c@\n", {3, 4}},
    {"LiteralBehindEmptyLines", "a: |\n\n\n    b\n\n      c@\n", {6, 8}},
    {"LiteralEnd", "a: |-\n  bc\nd: 1\n", {2, 5}},
    {"LiteralEndWithLineFeed", "a: |\n  bc\nd: 1\n", {2, 5}},
    {"LiteralReturns", "a: |\r\n  b\r\n  c@\r\n", {3, 4}},
    {"LiteralHeaderComment", "a: |-  # @\n  b@\n", {2, 4}},
    {"Folded", "a: >\n  b\n  c@\n", {3, 4}},
    {"FoldedMoreIndented", "a: >-\n  b\n\n    c\n  d@\n", {5, 4}},
    {"KeptEmptyLines", "a: |+\n\n\nb: 1\n", {1, 5}},
};
INSTANTIATE_TEST_SUITE_P(Places, PositionInScalarTest, testing::ValuesIn(kPlaces),
                         [](const auto& info) { return std::string(info.param.name); });

// --- Size ---

TEST(YamlReader, ReadsManyKeysAndFindsOneTwice) {
  std::string input;
  for (int i = 0; i < 100000; ++i) input += "k" + std::to_string(i) + ": {id: r, effect: allow}\n";
  std::vector<Issue> issues;
  const auto document = ReadYaml("f", input, {}, &issues);
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(document->root().size(), 100000u);
  EXPECT_FALSE(ReadYaml("f", input + "k77777: 1\n", {}, &issues).has_value());
  ASSERT_EQ(issues.size(), 1u);
  EXPECT_EQ(ToString(issues[0]), "f:100001:1: key `k77777` is given twice; first at 77778:1");
}

TEST(YamlDocument, NodesOutliveAMove) {
  std::vector<Issue> issues;
  auto document = ReadYaml("f", "[a]", {}, &issues);
  ASSERT_TRUE(document.has_value());
  const YamlNode item = *document->root().items().begin();
  const YamlDocument moved = std::move(*document);
  EXPECT_EQ(item.text(), "a");
  EXPECT_EQ(moved.source(), "[a]");
}

}  // namespace
}  // namespace reeve
