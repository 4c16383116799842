#include "reeve/tests/differential/generate_cel.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

namespace reeve::differential {
namespace {

using reference::RefBytes;
using reference::RefCidr;
using reference::RefDuration;
using reference::RefEntry;
using reference::RefIp;
using reference::RefList;
using reference::RefMap;
using reference::RefNull;
using reference::RefOptional;
using reference::RefTimestamp;
using reference::RefValue;
using reference::Wide;

// ---- What values are made of ----

constexpr int64_t kInts[] = {0,
                             1,
                             2,
                             3,
                             -1,
                             -2,
                             7,
                             10,
                             63,
                             64,
                             255,
                             1000,
                             86400,
                             4294967296,
                             9007199254740992,
                             9007199254740993,
                             9223372036854775806,
                             std::numeric_limits<int64_t>::max(),
                             -9223372036854775807,
                             std::numeric_limits<int64_t>::min(),
                             253402300799,
                             -62135596800};
constexpr uint64_t kUints[] = {0,
                               1,
                               2,
                               3,
                               64,
                               255,
                               4294967295,
                               4294967297,
                               9007199254740993,
                               9223372036854775807u,
                               9223372036854775808u,
                               std::numeric_limits<uint64_t>::max()};
// As CEL writes them, in parentheses where a sign or a call would bind otherwise.
constexpr std::string_view kDoubles[] = {"0.0",
                                         "1.0",
                                         "2.0",
                                         "0.5",
                                         "1.5",
                                         "2.5",
                                         "3.14159",
                                         "0.1",
                                         "1e3",
                                         "1e21",
                                         "1e-7",
                                         "1.7976931348623157e308",
                                         "5e-324",
                                         "9007199254740993.0",
                                         "9223372036854775808.0",
                                         "18446744073709551616.0",
                                         "(-0.0)",
                                         "(-1.0)",
                                         "(-1.5)",
                                         "(-9223372036854775808.0)",
                                         "(0.0 / 0.0)",
                                         "(1.0 / 0.0)",
                                         "(-1.0 / 0.0)",
                                         "double('NaN')"};
constexpr double kDoubleValues[] = {
    0.0,  1.0,  2.0, -1.0, 0.5, 1.5, -2.5, 1e21, 1e-7, 9007199254740992.0, 9223372036854775808.0,
    -0.0, 1e300};
constexpr std::string_view kStrings[] = {"",
                                         "a",
                                         "b",
                                         "ab",
                                         "aa",
                                         "abc",
                                         "hello",
                                         "Hello World",
                                         "user:ann",
                                         "é",
                                         "e\xCC\x81",
                                         "ﬀ",
                                         "ß",
                                         "🐱",
                                         "n🐱é",
                                         "👨‍👩‍👧",
                                         "\xEF\xBF\xBF",
                                         "\xF4\x8F\xBF\xBF",
                                         "\xEE\x80\x80",
                                         "\xE2\x80\x8B",
                                         " a\t",
                                         "\xC2\xA0x\xE3\x80\x80",
                                         "a\nb",
                                         "q\"q",
                                         "q'q",
                                         "back\\slash",
                                         "%s",
                                         "100%",
                                         "a,b,,c",
                                         ",",
                                         "true",
                                         "1",
                                         "-7",
                                         "1.5",
                                         "x.y"};
constexpr std::string_view kKeys[] = {"a", "b", "c", "type", "id"};
constexpr std::string_view kNumberTexts[] = {"0",
                                             "1",
                                             "-1",
                                             "42",
                                             "+3",
                                             "1.5",
                                             "-2e3",
                                             "",
                                             " 1",
                                             "x",
                                             "0x1",
                                             "1e400",
                                             "NaN",
                                             "true",
                                             "TRUE",
                                             "false",
                                             "tRue",
                                             "t",
                                             "18446744073709551615",
                                             "9223372036854775808",
                                             "Infinity"};
constexpr std::string_view kTimes[] = {"1970-01-01T00:00:00Z",
                                       "2009-02-13T23:31:30Z",
                                       "2009-02-13T23:31:30.123456789Z",
                                       "2000-02-29T12:00:00+05:45",
                                       "1969-12-31T23:59:59.999Z",
                                       "2024-03-31T01:30:00Z",
                                       "2024-11-03T06:30:00Z",
                                       "0001-01-01T00:00:00Z",
                                       "9999-12-31T23:59:59.999999999Z",
                                       "1900-02-28T23:00:00-01:00",
                                       "2023-02-29T00:00:00Z",
                                       "10000-01-01T00:00:00Z",
                                       "2009-02-13",
                                       ""};
constexpr std::string_view kDurations[] = {"0",
                                           "1s",
                                           "1h30m",
                                           "-1.5s",
                                           "100ms",
                                           "1ns",
                                           "-1ns",
                                           "24h",
                                           "1h1m1s1ms1us1ns",
                                           "0.5h",
                                           "2562047h",
                                           "-2562047h",
                                           "3000000h",
                                           "1d",
                                           "",
                                           "s",
                                           "1",
                                           "0.3333333333333333333h",
                                           "0.0000000000002777777777777777778h"};
constexpr std::string_view kZones[] = {"UTC",
                                       "+01:00",
                                       "-02:30",
                                       "+14:00",
                                       "US/Central",
                                       "Europe/Paris",
                                       "Asia/Kathmandu",
                                       "Australia/Lord_Howe",
                                       "No/Where",
                                       "",
                                       "25"};
constexpr std::string_view kRegexes[] = {"",          "a",      "^a", "b$",     "^.$", "[a-c]+",
                                         "a|b",       "(a)(b)", ".*", "\\\\d+", "^é$", "\\\\pL",
                                         "(?i)HELLO", "(",      "[",  "a{2}"};
constexpr std::string_view kFormats[] = {"%s",    "%d", "%f",   "%e",   "%x",    "%X",
                                         "%b",    "%o", "%.2f", "%.0e", "%s %s", "[%s]%%",
                                         "%d-%d", "%",  "%q",   "é%s🐱", "%.20f", "no clause"};
constexpr std::string_view kBase64[] = {"",     "YQ==", "YQ",   "aGVsbG8=", "+//+",
                                        "w6k=", "Y",    "====", "a b=",     "-_-_"};
constexpr std::string_view kIps[] = {"10.0.0.1",
                                     "192.168.1.1",
                                     "127.0.0.1",
                                     "0.0.0.0",
                                     "255.255.255.255",
                                     "169.254.1.1",
                                     "224.0.0.1",
                                     "::",
                                     "::1",
                                     "2001:db8::1",
                                     "2001:DB8::1",
                                     "fe80::1",
                                     "ff02::1",
                                     "64:ff9b::1.2.3.4"};
constexpr std::string_view kIpTexts[] = {"10.0.0.1",  "::1",          "2001:DB8::1",    "1.2.3",
                                         "01.2.3.4",  "fe80::1%eth0", "1::2::3",        "",
                                         "1.2.3.256", "10.0.0.0/8",   "1:2:3:4:5:6:7:8"};
constexpr std::string_view kCidrs[] = {"10.0.0.0/8", "10.0.0.1/32",    "10.1.2.3/12",
                                       "0.0.0.0/0",  "192.168.0.0/16", "2001:db8::/32",
                                       "::/0",       "fe80::1/64",     "2001:db8::1/128"};
constexpr std::string_view kCidrTexts[] = {"10.0.0.0/8", "::/0",        "10.0.0.0/33", "10.0.0.0/",
                                           "10.0.0.0",   "10.0.0.0/08", "x/1",         "::/129"};
constexpr std::string_view kEntities[] = {"user:ann", "group:staff", "group:x", "folder:a", "none"};

// ---- What expressions are made of ----

// Types are letters: B bool, I int, U uint, D double, S string, Y bytes, T timestamp, R duration,
// N null, L list(int), M list(string), F list(double), G list(list(int)), A map(string, int),
// H map(int, string), O optional(int), Q optional(string), P ip, C cidr, Z type, V anything.
//
// In a pattern `$I` is an expression of type int; `$xI` declares a name of this type for the rest
// of the pattern, `$yI` for what comes after the next expression. Small letters are literals: k a
// name of a field, i a small int, h a number's text, n a timestamp's, o a duration's, z a time
// zone, r a regular expression, f a format, e base 64, w an address, W one that is right, c a block
// of addresses, K one that is right, g an entity's name, s a bit.
struct Pattern {
  char type;
  std::string_view text;
};

constexpr Pattern kPatterns[] = {
    {'B', "($B && $B)"},
    {'B', "($B || $B)"},
    {'B', "($B && $B && $B)"},
    {'B', "($B || $B || $B)"},
    {'B', "(!$B)"},
    {'B', "($B ? $B : $B)"},
    {'B', "($I == $I)"},
    {'B', "($I != $I)"},
    {'B', "($I < $I)"},
    {'B', "($I <= $I)"},
    {'B', "($I > $I)"},
    {'B', "($I >= $I)"},
    {'B', "($U < $U)"},
    {'B', "($D <= $D)"},
    {'B', "($D == $D)"},
    {'B', "(dyn($I) < $U)"},
    {'B', "(dyn($U) >= $D)"},
    {'B', "(dyn($D) > $I)"},
    {'B', "(dyn($I) == $D)"},
    {'B', "(dyn($U) != $I)"},
    {'B', "($S == $S)"},
    {'B', "($S != $S)"},
    {'B', "($S < $S)"},
    {'B', "($S >= $S)"},
    {'B', "($Y > $Y)"},
    {'B', "($Y == $Y)"},
    {'B', "($B <= $B)"},
    {'B', "($B == $B)"},
    {'B', "($T < $T)"},
    {'B', "($T == $T)"},
    {'B', "($R >= $R)"},
    {'B', "($L == $L)"},
    {'B', "($M != $M)"},
    {'B', "($A == $A)"},
    {'B', "($O == $O)"},
    {'B', "($P == $P)"},
    {'B', "($C == $C)"},
    {'B', "($Z == $Z)"},
    {'B', "(type($V) == $Z)"},
    {'B', "(dyn($V) == $V)"},
    {'B', "(dyn($V) != $V)"},
    {'B', "(dyn($V) < $V)"},
    {'B', "($I in $L)"},
    {'B', "($S in $M)"},
    {'B', "($S in $A)"},
    {'B', "($I in $H)"},
    {'B', "(dyn($D) in $L)"},
    {'B', "(dyn($U) in $H)"},
    {'B', "(dyn($V) in [$V, $V])"},
    {'B', "($S in ['a', 'b', 'hello', 'é'])"},
    {'B', "has($A.$k)"},
    {'B', "has({'a': $A}.$k.$k)"},
    {'B', "has($A.?$k.$k)"},
    {'B', "$L.all($xI, $B)"},
    {'B', "$L.exists($xI, $B)"},
    {'B', "$L.exists_one($xI, $B)"},
    {'B', "$M.all($xS, $B)"},
    {'B', "$M.exists($xS, $B)"},
    {'B', "$M.existsOne($xS, $B)"},
    {'B', "$A.all($xS, $B)"},
    {'B', "$A.exists($xS, $xI, $B)"},
    {'B', "$L.all($xI, $xI, $B)"},
    {'B', "$M.exists_one($xI, $xS, $B)"},
    {'B', "$H.existsOne($xI, $xS, $B)"},
    {'B', "cel.bind($yI, $I, $B)"},
    {'B', "cel.bind($yS, $S, $B)"},
    {'B', "cel.bind($yL, $L, $B)"},
    {'B', "cel.bind($yB, $B, $B)"},
    {'B', "$S.contains($S)"},
    {'B', "$S.startsWith($S)"},
    {'B', "$S.endsWith($S)"},
    {'B', "$S.matches($r)"},
    {'B', "matches($S, $r)"},
    {'B', "bool($h)"},
    {'B', "bool($B)"},
    {'B', "sets.contains($L, $L)"},
    {'B', "sets.equivalent($M, $M)"},
    {'B', "sets.intersects($L, $L)"},
    {'B', "sets.contains(dyn($L), $F)"},
    {'B', "math.isInf($D)"},
    {'B', "math.isNaN($D)"},
    {'B', "math.isFinite($D)"},
    {'B', "$O.hasValue()"},
    {'B', "$Q.hasValue()"},
    {'B', "isIP($w)"},
    {'B', "isCIDR($c)"},
    {'B', "ip.isCanonical($w)"},
    {'B', "$P.isUnspecified()"},
    {'B', "$P.isLoopback()"},
    {'B', "$P.isLinkLocalUnicast()"},
    {'B', "$P.isLinkLocalMulticast()"},
    {'B', "$P.isGlobalUnicast()"},
    {'B', "$C.containsIP($P)"},
    {'B', "$C.containsIP($w)"},
    {'B', "$C.containsCIDR($C)"},
    {'B', "$C.containsCIDR($c)"},
    {'B', "dyn($B)"},

    {'I', "($I + $I)"},
    {'I', "($I - $I)"},
    {'I', "($I * $I)"},
    {'I', "($I / $I)"},
    {'I', "($I % $I)"},
    {'I', "(-$I)"},
    {'I', "($B ? $I : $I)"},
    {'I', "size($S)"},
    {'I', "$S.size()"},
    {'I', "size($Y)"},
    {'I', "size($L)"},
    {'I', "$M.size()"},
    {'I', "$A.size()"},
    {'I', "int($I)"},
    {'I', "int($U)"},
    {'I', "int($D)"},
    {'I', "int($h)"},
    {'I', "int($T)"},
    {'I', "int($R)"},
    {'I', "$L[$i]"},
    {'I', "$L[dyn($D)]"},
    {'I', "$A[$S]"},
    {'I', "$A.$k"},
    {'I', "$O.value()"},
    {'I', "$O.orValue($I)"},
    {'I', "$S.indexOf($S)"},
    {'I', "$S.indexOf($S, $i)"},
    {'I', "$S.lastIndexOf($S)"},
    {'I', "$S.lastIndexOf($S, $i)"},
    {'I', "$T.getFullYear()"},
    {'I', "$T.getMonth()"},
    {'I', "$T.getDate()"},
    {'I', "$T.getDayOfMonth()"},
    {'I', "$T.getDayOfWeek()"},
    {'I', "$T.getDayOfYear()"},
    {'I', "$T.getHours()"},
    {'I', "$T.getMinutes()"},
    {'I', "$T.getSeconds()"},
    {'I', "$T.getMilliseconds()"},
    {'I', "$T.getFullYear($z)"},
    {'I', "$T.getMonth($z)"},
    {'I', "$T.getDate($z)"},
    {'I', "$T.getDayOfMonth($z)"},
    {'I', "$T.getDayOfWeek($z)"},
    {'I', "$T.getDayOfYear($z)"},
    {'I', "$T.getHours($z)"},
    {'I', "$T.getMinutes($z)"},
    {'I', "$T.getSeconds($z)"},
    {'I', "$T.getMilliseconds($z)"},
    {'I', "$R.getHours()"},
    {'I', "$R.getMinutes()"},
    {'I', "$R.getSeconds()"},
    {'I', "$R.getMilliseconds()"},
    {'I', "math.greatest($I, $I)"},
    {'I', "math.greatest($I, dyn($U), dyn($D))"},
    {'I', "math.greatest($L)"},
    {'I', "math.least($I, $I, $I)"},
    {'I', "math.least($L)"},
    {'I', "math.abs($I)"},
    {'I', "math.sign($I)"},
    {'I', "math.bitAnd($I, $I)"},
    {'I', "math.bitOr($I, $I)"},
    {'I', "math.bitXor($I, $I)"},
    {'I', "math.bitNot($I)"},
    {'I', "math.bitShiftLeft($I, $s)"},
    {'I', "math.bitShiftRight($I, $s)"},
    {'I', "$P.family()"},
    {'I', "$C.prefixLength()"},
    {'I', "cel.bind($yI, $I, $I)"},
    {'I', "dyn($I)"},

    {'U', "($U + $U)"},
    {'U', "($U - $U)"},
    {'U', "($U * $U)"},
    {'U', "($U / $U)"},
    {'U', "($U % $U)"},
    {'U', "uint($I)"},
    {'U', "uint($D)"},
    {'U', "uint($h)"},
    {'U', "uint($U)"},
    {'U', "math.bitAnd($U, $U)"},
    {'U', "math.bitOr($U, $U)"},
    {'U', "math.bitXor($U, $U)"},
    {'U', "math.bitNot($U)"},
    {'U', "math.bitShiftLeft($U, $s)"},
    {'U', "math.bitShiftRight($U, $s)"},
    {'U', "math.abs($U)"},
    {'U', "math.sign($U)"},
    {'U', "math.least($U, $U)"},
    {'U', "($B ? $U : $U)"},

    {'D', "($D + $D)"},
    {'D', "($D - $D)"},
    {'D', "($D * $D)"},
    {'D', "($D / $D)"},
    {'D', "(-$D)"},
    {'D', "double($I)"},
    {'D', "double($U)"},
    {'D', "double($h)"},
    {'D', "double($D)"},
    {'D', "math.ceil($D)"},
    {'D', "math.floor($D)"},
    {'D', "math.round($D)"},
    {'D', "math.trunc($D)"},
    {'D', "math.abs($D)"},
    {'D', "math.sign($D)"},
    {'D', "math.sqrt($D)"},
    {'D', "math.sqrt($I)"},
    {'D', "math.greatest($F)"},
    {'D', "math.least($D, $D)"},
    {'D', "$F[$i]"},

    {'S', "($S + $S)"},
    {'S', "($B ? $S : $S)"},
    {'S', "string($S)"},
    {'S', "string($B)"},
    {'S', "string($I)"},
    {'S', "string($U)"},
    {'S', "string($D)"},
    {'S', "string($Y)"},
    {'S', "string($T)"},
    {'S', "string($R)"},
    {'S', "string($P)"},
    {'S', "string($C)"},
    {'S', "$S.charAt($i)"},
    {'S', "$S.lowerAscii()"},
    {'S', "$S.upperAscii()"},
    {'S', "$S.replace($S, $S)"},
    {'S', "$S.replace($S, $S, $i)"},
    {'S', "$S.substring($i)"},
    {'S', "$S.substring($i, $i)"},
    {'S', "$S.trim()"},
    {'S', "$S.reverse()"},
    {'S', "$M.join()"},
    {'S', "$M.join($S)"},
    {'S', "strings.quote($S)"},
    {'S', "$f.format([$V, $V])"},
    {'S', "'%s'.format([$V])"},
    {'S', "'%d|%.3f|%x'.format([$I, $D, $S])"},
    {'S', "base64.encode($Y)"},
    {'S', "$M[$i]"},
    {'S', "$H[$i]"},
    {'S', "$Q.value()"},
    {'S', "$Q.orValue($S)"},
    {'S', "cel.bind($yS, $S, $S)"},
    {'S', "dyn($S)"},

    {'Y', "($Y + $Y)"},
    {'Y', "bytes($S)"},
    {'Y', "bytes($Y)"},
    {'Y', "base64.decode($e)"},
    {'Y', "base64.decode(base64.encode($Y))"},

    {'T', "timestamp($n)"},
    {'T', "timestamp($I)"},
    {'T', "timestamp($T)"},
    {'T', "($T + $R)"},
    {'T', "($R + $T)"},
    {'T', "($T - $R)"},

    {'R', "duration($o)"},
    {'R', "duration($R)"},
    {'R', "($R + $R)"},
    {'R', "($R - $R)"},
    {'R', "($T - $T)"},

    {'L', "[$I, $I]"},
    {'L', "[$I, $I, $I]"},
    {'L', "[?$O, $I]"},
    {'L', "($L + $L)"},
    {'L', "($B ? $L : $L)"},
    {'L', "$L.map($xI, $I)"},
    {'L', "$L.map($xI, $B, $I)"},
    {'L', "$M.map($xS, $I)"},
    {'L', "$L.filter($xI, $B)"},
    {'L', "$H.filter($xI, $B)"},
    {'L', "$L.transformList($xI, $xI, $I)"},
    {'L', "$A.transformList($xS, $xI, $B, $I)"},
    {'L', "$L.distinct()"},
    {'L', "$L.reverse()"},
    {'L', "$L.slice($i, $i)"},
    {'L', "$L.sort()"},
    {'L', "$L.sortBy($xI, $I)"},
    {'L', "$G.flatten()"},
    {'L', "$G.flatten($i)"},
    {'L', "lists.range($i)"},
    {'L', "$G[$i]"},
    {'L', "optional.unwrap([$O, $O])"},
    {'L', "[$O, $O].unwrapOpt()"},

    {'M', "[$S, $S]"},
    {'M', "[$S, ?$Q]"},
    {'M', "($M + $M)"},
    {'M', "$S.split($S)"},
    {'M', "$S.split($S, $i)"},
    {'M', "$M.map($xS, $S)"},
    {'M', "$M.filter($xS, $B)"},
    {'M', "$A.map($xS, $S)"},
    {'M', "$A.filter($xS, $B)"},
    {'M', "$A.transformList($xS, $xI, $S)"},
    {'M', "$M.transformList($xI, $xS, $B, $S)"},
    {'M', "$M.sort()"},
    {'M', "$M.sortBy($xS, $I)"},
    {'M', "$M.distinct()"},
    {'M', "$M.reverse()"},
    {'M', "$M.slice(0, $i)"},

    {'F', "[$D, $D]"},
    {'F', "$F.sort()"},
    {'F', "$F.distinct()"},
    {'F', "$L.map($xI, double($I))"},

    {'G', "[$L, $L]"},
    {'G', "$L.map($xI, $L)"},
    {'G', "($G + $G)"},

    {'A', "{$S: $I, 'b': $I}"},
    {'A', "{?'a': $O, $S: $I}"},
    {'A', "$A.transformMap($xS, $xI, $I)"},
    {'A', "$A.transformMap($xS, $xI, $B, $I)"},
    {'A', "$H.transformMapEntry($xI, $xS, {$S: $I})"},
    {'A', "$M.transformMapEntry($xI, $xS, {$S: $I})"},
    {'A', "$A.transformMapEntry($xS, $xI, $B, {$S: $I})"},
    {'A', "($B ? $A : $A)"},

    {'H', "{$I: $S, 1: $S}"},
    {'H', "$M.transformMap($xI, $xS, $S)"},
    {'H', "$H.transformMap($xI, $xS, $B, $S)"},

    {'O', "optional.of($I)"},
    {'O', "optional.ofNonZeroValue($I)"},
    {'O', "$A.?$k"},
    {'O', "$A[?$S]"},
    {'O', "$L[?$i]"},
    {'O', "optional.of($A).$k"},
    {'O', "optional.of($L)[$i]"},
    {'O', "$O.or($O)"},
    {'O', "$O.optMap($xI, $I)"},
    {'O', "$O.optFlatMap($xI, $O)"},
    {'O', "$L.first()"},
    {'O', "$L.last()"},
    {'O', "($B ? $O : optional.none())"},

    {'Q', "optional.of($S)"},
    {'Q', "optional.ofNonZeroValue($S)"},
    {'Q', "$H[?$i]"},
    {'Q', "$M.first()"},
    {'Q', "$M.last()"},
    {'Q', "$Q.or($Q)"},
    {'Q', "$O.optMap($xI, $S)"},
    {'Q', "optional.none()"},

    {'P', "ip($W)"},
    {'P', "ip($w)"},
    {'P', "$C.ip()"},
    {'C', "cidr($K)"},
    {'C', "cidr($c)"},
    {'C', "$C.masked()"},
    {'Z', "type($V)"},
};

constexpr Pattern kEntityPatterns[] = {
    {'B', "principal.isIn($g)"},
    {'B', "principal.isIn([$g, $g])"},
    {'B', "(principal.id == $S)"},
    {'B', "($S in principal.groups)"},
    {'B', "principal.groups.exists($xS, $B)"},
    {'B', "principal.groups.all($xS, $B)"},
    {'I', "size(principal.groups)"},
};

constexpr std::string_view kTypes = "BIUDSYTRNLMFGAHOQPCZ";

const std::vector<std::pair<char, CelVariable>>& TypedVariables() {
  static const auto* const kVariables = new std::vector<std::pair<char, CelVariable>>{
      {'B', {"p", "bool"}},
      {'B', {"q", "bool"}},
      {'I', {"i", "int"}},
      {'I', {"j", "int"}},
      {'U', {"u", "uint"}},
      {'D', {"d", "double"}},
      {'S', {"s", "string"}},
      {'S', {"t", "string"}},
      {'Y', {"y", "bytes"}},
      {'T', {"now", "timestamp"}},
      {'R', {"span", "duration"}},
      {'N', {"nil", "null_type"}},
      {'L', {"numbers", "list(int)"}},
      {'M', {"names", "list(string)"}},
      {'F', {"reals", "list(double)"}},
      {'G', {"rows", "list(list(int))"}},
      {'A', {"ages", "map(string, int)"}},
      {'H', {"titles", "map(int, string)"}},
      {'O', {"maybe", "optional_type(int)"}},
      {'Q', {"note", "optional_type(string)"}},
      {'P', {"host", "net.IP"}},
      {'C', {"net", "net.CIDR"}},
      {'V', {"any", "dyn"}},
      {'E', {"principal", "dyn"}},
  };
  return *kVariables;
}

template <typename T, size_t n>
const T& Pick(Choices& choices, const T (&from)[n]) {
  return from[choices.Below(n)];
}

// As a literal of a string, in one of the ways to write it.
std::string Quoted(Choices& choices, std::string_view text) {
  const char quote = choices.OneIn(2) ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += choices.OneIn(2) ? "\\t" : "\\x09";
    } else if (c == quote || c == '\\') {
      out += {'\\', c};
    } else {
      out += c;
    }
  }
  return out + quote;
}

std::string IntText(int64_t number) {
  return number < 0 ? "(" + std::to_string(number) + ")" : std::to_string(number);
}

// One expression.
class Generator {
 public:
  Generator(Choices& choices, const CelSize& size)
      : choices_(choices), depth_(size.depth), nodes_(size.nodes), entities_(size.entities) {}

  std::string Make(char type, uint32_t depth) {
    if (type == 'V') type = kTypes[choices_.Below(static_cast<uint32_t>(kTypes.size()))];
    if (choices_.OneIn(120)) {
      // Something else, which a checker sees only if nothing hides it.
      const char other = kTypes[choices_.Below(static_cast<uint32_t>(kTypes.size()))];
      const std::string made = MakeOf(other, depth);
      return choices_.OneIn(4) ? made : "dyn(" + made + ")";
    }
    return MakeOf(type, depth);
  }

 private:
  struct Local {
    std::string name;
    char type;
  };

  std::string MakeOf(char type, uint32_t depth) {
    if (nodes_ > 0) --nodes_;
    // The outermost is seldom one name alone.
    if (depth == 0 || nodes_ == 0 || choices_.OneIn(depth == depth_ ? 50 : 6)) return Leaf(type);
    std::vector<std::string_view> patterns;
    for (const Pattern& pattern : kPatterns) {
      if (pattern.type == type) patterns.push_back(pattern.text);
    }
    if (entities_) {
      for (const Pattern& pattern : kEntityPatterns) {
        if (pattern.type == type) patterns.push_back(pattern.text);
      }
    }
    if (patterns.empty()) return Leaf(type);
    return Fill(patterns[choices_.Below(static_cast<uint32_t>(patterns.size()))], depth - 1);
  }

  std::string Fill(std::string_view pattern, uint32_t depth) {
    const size_t before = locals_.size();
    std::vector<Local> waiting;
    std::vector<std::string> declared;
    std::string out;
    for (size_t at = 0; at < pattern.size(); ++at) {
      if (pattern[at] != '$') {
        out += pattern[at];
        continue;
      }
      const char what = pattern[++at];
      if (what == 'x' || what == 'y') {
        const Local local = {FreshName(declared), pattern[++at]};
        declared.push_back(local.name);
        out += local.name;
        if (what == 'x') {
          locals_.push_back(local);
        } else {
          waiting.push_back(local);
        }
        continue;
      }
      out += kTypes.find(what) != std::string_view::npos || what == 'V' ? Make(what, depth)
                                                                        : Text(what);
      locals_.insert(locals_.end(), waiting.begin(), waiting.end());
      waiting.clear();
    }
    locals_.resize(before);
    return out;
  }

  // Often one that hides another.
  std::string FreshName(const std::vector<std::string>& taken) {
    static constexpr std::string_view kNames[] = {"x", "y", "z", "i", "s", "n", "k", "v"};
    const size_t first = choices_.Below(std::size(kNames));
    for (size_t i = first;; i = (i + 1) % std::size(kNames)) {
      std::string name(kNames[i]);
      if (std::find(taken.begin(), taken.end(), name) == taken.end()) return name;
    }
  }

  std::string Leaf(char type) {
    // Names that hide each other: the innermost counts.
    std::vector<std::string> names;
    std::vector<std::string> hidden;
    for (auto local = locals_.rbegin(); local != locals_.rend(); ++local) {
      if (std::find(hidden.begin(), hidden.end(), local->name) != hidden.end()) continue;
      hidden.push_back(local->name);
      if (local->type == type) names.push_back(local->name);
    }
    if (!names.empty() && !choices_.OneIn(3)) {
      return names[choices_.Below(static_cast<uint32_t>(names.size()))];
    }
    for (const auto& [of, variable] : TypedVariables()) {
      const bool is_hidden = std::find(hidden.begin(), hidden.end(), variable.name) != hidden.end();
      if (of == type && !is_hidden) names.emplace_back(variable.name);
    }
    if (choices_.OneIn(60)) return "dyn(any)";
    if (!names.empty() && choices_.OneIn(2)) {
      return names[choices_.Below(static_cast<uint32_t>(names.size()))];
    }
    return Literal(type);
  }

  std::string Literal(char type) {
    switch (type) {
      case 'B':
        return choices_.OneIn(2) ? "true" : "false";
      case 'I':
        return choices_.OneIn(3) ? IntText(Pick(choices_, kInts)) : Text('i');
      case 'U':
        return std::to_string(Pick(choices_, kUints)) + "u";
      case 'D':
        return std::string(Pick(choices_, kDoubles));
      case 'S':
        return Quoted(choices_, Pick(choices_, kStrings));
      case 'Y':
        return choices_.OneIn(3) ? R"(b'\xff\x00\xc3')"
                                 : "b" + Quoted(choices_, Pick(choices_, kStrings));
      case 'T':
        return "timestamp(" + Text('n') + ")";
      case 'R':
        return "duration(" + Text('o') + ")";
      case 'L':
        return choices_.OneIn(4) ? "[]" : "[1, 2, " + Text('i') + "]";
      case 'M':
        return choices_.OneIn(4) ? "[]" : "['a', " + Literal('S') + "]";
      case 'F':
        return choices_.OneIn(4) ? "[]" : "[1.0, " + Literal('D') + "]";
      case 'G':
        return choices_.OneIn(4) ? "[[]]" : "[[1], [], [2, 3]]";
      case 'A':
        return choices_.OneIn(4) ? "{}"
                                 : "{'a': 1, " + Quoted(choices_, Pick(choices_, kKeys)) + ": 2}";
      case 'H':
        return choices_.OneIn(4) ? "{}" : "{0: 'zero', 1: " + Literal('S') + "}";
      case 'O':
        return choices_.OneIn(3) ? "optional.none()" : "optional.of(" + Text('i') + ")";
      case 'Q':
        return choices_.OneIn(3) ? "optional.none()" : "optional.of(" + Literal('S') + ")";
      case 'P':
        return "ip(" + Text('W') + ")";
      case 'C':
        return "cidr(" + Text('K') + ")";
      case 'Z': {
        static constexpr std::string_view kTypeNames[] = {"int",
                                                          "uint",
                                                          "double",
                                                          "string",
                                                          "bytes",
                                                          "bool",
                                                          "list",
                                                          "map",
                                                          "type",
                                                          "null_type",
                                                          "google.protobuf.Timestamp",
                                                          "google.protobuf.Duration",
                                                          "optional_type",
                                                          "net.IP",
                                                          "net.CIDR"};
        return std::string(Pick(choices_, kTypeNames));
      }
      default:
        return "null";
    }
  }

  std::string Text(char what) {
    switch (what) {
      case 'k':
        return std::string(Pick(choices_, kKeys));
      case 'i':
        return choices_.OneIn(20) ? "(-1)" : std::to_string(choices_.Below(4));
      case 's': {
        static constexpr std::string_view kShifts[] = {"0",  "1",  "5",  "31",
                                                       "63", "64", "65", "(-1)"};
        return std::string(Pick(choices_, kShifts));
      }
      case 'h':
        return Mostly(choices_.OneIn(2), kNumberTexts);
      case 'n':
        return Mostly(true, kTimes);
      case 'o':
        return Mostly(true, kDurations);
      case 'z':
        return Mostly(true, kZones);
      case 'r':
        return choices_.OneIn(8) ? Literal('S') : "'" + std::string(Pick(choices_, kRegexes)) + "'";
      case 'f':
        return Quoted(choices_, Pick(choices_, kFormats));
      case 'e':
        return Quoted(choices_, Pick(choices_, kBase64));
      case 'w':
        return choices_.OneIn(3) ? Quoted(choices_, Pick(choices_, kIpTexts)) : Text('W');
      case 'W':
        return Quoted(choices_, Pick(choices_, kIps));
      case 'c':
        return choices_.OneIn(3) ? Quoted(choices_, Pick(choices_, kCidrTexts)) : Text('K');
      case 'K':
        return Quoted(choices_, Pick(choices_, kCidrs));
      default:
        return Quoted(choices_, Pick(choices_, kEntities));
    }
  }

  // The first half of `texts` are right, the others not always.
  template <size_t n>
  std::string Mostly(bool right, const std::string_view (&texts)[n]) {
    if (right && !choices_.OneIn(8)) return Quoted(choices_, texts[choices_.Below(n / 2)]);
    return Quoted(choices_, Pick(choices_, texts));
  }

  Choices& choices_;
  const uint32_t depth_;
  uint32_t nodes_;
  const bool entities_;
  std::vector<Local> locals_;
};

// ---- Bindings ----

RefIp MakeIp(Choices& choices) {
  RefIp ip;
  ip.v6 = choices.OneIn(2);
  for (size_t i = 0; i < (ip.v6 ? 16 : 4); ++i) {
    ip.bytes[i] = static_cast<uint8_t>(choices.OneIn(2) ? 0 : choices.Below(256));
  }
  return ip;
}

RefValue MakeValue(Choices& choices, char type);

RefValue MakeList(Choices& choices, char type) {
  RefList list;
  for (uint32_t count = choices.Below(4); count > 0; --count) {
    list.elements.push_back(MakeValue(choices, type));
  }
  return {std::move(list)};
}

RefValue MakeValue(Choices& choices, char type) {
  constexpr Wide kSecond = 1000000000;
  switch (type) {
    case 'B':
      return {choices.OneIn(2)};
    case 'I':
      return {choices.OneIn(2) ? Pick(choices, kInts) : int64_t{choices.Below(5)}};
    case 'U':
      return {Pick(choices, kUints)};
    case 'D':
      return {Pick(choices, kDoubleValues)};
    case 'S':
      return {std::string(Pick(choices, kStrings))};
    case 'Y':
      return {RefBytes{choices.OneIn(2) ? std::string("\xFF\x00", 2)
                                        : std::string(Pick(choices, kStrings))}};
    case 'T': {
      constexpr int64_t kSeconds[] = {0,          -1,           1234567890,  951782400,
                                      1711848600, -62135596800, 253402300799};
      return {RefTimestamp{Pick(choices, kSeconds) * kSecond + choices.Below(2) * 999999999}};
    }
    case 'R': {
      constexpr int64_t kNanos[] = {0,
                                    1,
                                    -1,
                                    1500000000,
                                    -90500000000,
                                    86400000000000,
                                    std::numeric_limits<int64_t>::max(),
                                    std::numeric_limits<int64_t>::min()};
      return {RefDuration{Pick(choices, kNanos)}};
    }
    case 'L':
      return MakeList(choices, 'I');
    case 'M':
      return MakeList(choices, 'S');
    case 'F':
      return MakeList(choices, 'D');
    case 'G':
      return MakeList(choices, 'L');
    case 'A': {
      RefMap map;
      for (const std::string_view key : {"a", "b", "c", "id"}) {
        if (choices.OneIn(2)) map.entries.push_back({{std::string(key)}, MakeValue(choices, 'I')});
      }
      return {std::move(map)};
    }
    case 'H': {
      RefMap map;
      for (const int64_t key : {0, 1, 2, 7}) {
        if (choices.OneIn(2)) map.entries.push_back({{key}, MakeValue(choices, 'S')});
      }
      return {std::move(map)};
    }
    case 'O':
      if (choices.OneIn(3)) return {RefOptional{}};
      return {RefOptional{{MakeValue(choices, 'I')}}};
    case 'Q':
      if (choices.OneIn(3)) return {RefOptional{}};
      return {RefOptional{{MakeValue(choices, 'S')}}};
    case 'P':
      return {MakeIp(choices)};
    case 'C': {
      RefCidr cidr;
      cidr.address = MakeIp(choices);
      cidr.prefix = static_cast<int>(choices.Below(cidr.address.v6 ? 129 : 33));
      return {cidr};
    }
    case 'E': {
      RefValue groups = MakeList(choices, 'S');
      if (choices.OneIn(8)) std::get<RefList>(groups.v).partial = true;
      RefMap map;
      map.entity = "user:ann";
      map.entries = {{{std::string("groups")}, std::move(groups)},
                     {{std::string("id")}, MakeValue(choices, 'S')},
                     {{std::string("type")}, {std::string("user")}}};
      return {std::move(map)};
    }
    case 'V': {
      constexpr std::string_view kPlain = "BIUDSYTRNLMA";
      return MakeValue(choices, kPlain[choices.Below(static_cast<uint32_t>(kPlain.size()))]);
    }
    default:
      return {RefNull{}};
  }
}

}  // namespace

const std::vector<CelVariable>& CelVariables() {
  static const auto* const kVariables = [] {
    auto* variables = new std::vector<CelVariable>;
    for (const auto& [type, variable] : TypedVariables()) variables->push_back(variable);
    return variables;
  }();
  return *kVariables;
}

std::map<std::string, RefValue> MakeBindings(Choices& choices) {
  std::map<std::string, RefValue> bindings;
  for (const auto& [type, variable] : TypedVariables()) {
    bindings[variable.name] = MakeValue(choices, type);
  }
  return bindings;
}

std::string MakeExpression(Choices& choices, const CelSize& size) {
  const char type = choices.OneIn(4) ? 'V' : 'B';
  return Generator(choices, size).Make(type, size.depth);
}

}  // namespace reeve::differential
