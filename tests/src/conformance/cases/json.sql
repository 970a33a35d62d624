-- Expressions, one a line, whose row_to_json (TimeZone UTC) the JSON of a row must equal, byte for byte.
-- Needs: create type mood as enum ('sad','it''s "ok"'); create type inner_t as (a int, b text);
--   create type outer_t as (i inner_t, "Weird Name" numeric[], t timestamptz, j json, n inner_t[]);
--   create domain posint as int check (value > 0); create domain dd as posint; create domain ddate as date;
--   create domain ilist as int[]; create domain dcomp as inner_t; create type frange as range (subtype = float8);
--   create type textrange as range (subtype = text); create extension hstore; create extension citext; create extension ltree;
true
false
null::bool
'{t,f,null}'::bool[]
0::int2
(-32768)::int2
32767::int2
(-2147483648)::int4
2147483647
(-9223372036854775808)::int8
9223372036854775807::int8
null::int8
0::oid
4294967295::oid
'{1,2}'::oid[]
'1 2 3'::int2vector
'1 2 3'::oidvector
''::int2vector
'4294967295'::xid
'7'::cid
'18446744073709551615'::xid8
'(4294967295,65535)'::tid
'16/B374D848'::pg_lsn
'0/0'::pg_lsn
0::float8
'-0'::float8
1.5::float8
0.1::float8
0.3::float8
1e14::float8
123456789012345::float8
1234567890123456::float8
999999999999999::float8
1e15::float8
1e16::float8
1e20::float8
1e22::float8
1e23::float8
9007199254740993::float8
4.35e-5::float8
1e-4::float8
0.0001234::float8
1e-5::float8
1e100::float8
1e-100::float8
1.7976931348623157e308::float8
2.2250738585072014e-308::float8
5e-324::float8
'NaN'::float8
'Infinity'::float8
'-Infinity'::float8
(-1.25)::float8
(-1.25e-7)::float8
1::float8 / 3
(2::float8 ^ 60)
(2::float8 ^ -44)
'{1.5,NaN,Infinity,null,1e23}'::float8[]
0::float4
'-0'::float4
0.1::float4
100000::float4
999999::float4
1000000::float4
1234567::float4
16777216::float4
1e-4::float4
1e-5::float4
3.4028235e38::float4
1e-45::float4
1.17549435e-38::float4
'NaN'::float4
'-Infinity'::float4
8589973000::float4
33554432::float4
9e9::float4
0::numeric
0.00::numeric
-0.0::numeric
1::numeric
10000::numeric
100000000::numeric
1.10::numeric(10,2)
0.0001::numeric
0.00001::numeric
0.000000000000000000000000000001::numeric
123456789012345678901234567890.123456789012345678901234567890::numeric
-123456789012345678901234567890.1::numeric
1e50::numeric
1e-50::numeric
1e1000::numeric
99999999.99999999::numeric
10001::numeric
100010000.00010001::numeric
1.000000000::numeric
12345.6789::numeric(20,10)
12000::numeric(5,-3)
'NaN'::numeric
'Infinity'::numeric
'-Infinity'::numeric
'{1.0,NaN,null,-5}'::numeric[]
''::text
'plain'::text
E'quote " backslash \\ slash / tab \t newline \n cr \r bs \b ff \f bell \x07 esc \x1b us \x1f del \x7f'::text
'ünïcödé 日本語 😀'::text
E'\u2028 \u2029'::text
'x'::varchar(10)
'x'::char(5)
'name_t'::name
'unknown literal'
null
'a'::"char"
''::"char"
'"'::"char"
'{a,b}'::"char"[]
'sad'::mood
'it''s "ok"'::mood
'{sad,null}'::mood[]
null::mood
'Case'::citext
'a.b.c'::ltree
'a.*{1,2}.b'::lquery
'a & b'::ltxtquery
'a=>1, b=>NULL, "c d"=>"\"x\\"'::hstore
''::hstore
array['a=>1'::hstore, null]
'<a b="1">x</a>'::xml
'$.a[*] ? (@ > 1)'::jsonpath
'cat'::refcursor
'550e8400-e29b-41d4-a716-446655440000'::uuid
'{550e8400-e29b-41d4-a716-446655440000,null}'::uuid[]
'{"a": 1, "b" : [1,2 , {"c":null}], "a": 2}'::json
'[1.000000000000000000000000000001, 1e400, "\u00e9\ud83d\ude00"]'::json
'"str"'::json
'null'::json
'12345678901234567890123'::json
'{"b": 1.000, "a": [1, 2], "c": "\u00e9"}'::jsonb
'null'::jsonb
'"x"'::jsonb
'1e100'::jsonb
'{}'::jsonb
array['{"a":1}'::json, null, '[1 ]'::json]
array['{"a":1}'::jsonb, null]
'\x'::bytea
'\x00ff10de'::bytea
array['\x00'::bytea, null]
'2026-01-02'::date
'0001-01-01'::date
'0001-12-31 BC'::date
'0005-02-29 BC'::date
'0004-02-28 BC'::date
'4713-01-01 BC'::date
'4714-11-24 BC'::date
'2000-02-29'::date
'1900-02-28'::date
'1900-03-01'::date
'1999-12-31'::date
'10000-01-01'::date
'5874897-12-31'::date
'infinity'::date
'-infinity'::date
null::date
'{2026-01-02,infinity,null}'::date[]
'00:00:00'::time
'24:00:00'::time
'23:59:59.999999'::time
'03:04:05.1'::time
'03:04:05.000001'::time
'03:04:05.120'::time
'00:00:00+00'::timetz
'03:04:05.5+02'::timetz
'03:04:05-05:30'::timetz
'03:04:05+05:45:12'::timetz
'03:04:05-15:59:59'::timetz
'24:00:00-00:01'::timetz
'2026-01-02 03:04:05'::timestamp
'2026-01-02 03:04:05.123456'::timestamp
'2026-01-02 03:04:05.12'::timestamp
'1999-12-31 23:59:59.999999'::timestamp
'2000-01-01 00:00:00'::timestamp
'1969-07-20 20:17:40'::timestamp
'0044-03-15 12:00:00 BC'::timestamp
'4714-11-24 00:00:00 BC'::timestamp
'294276-12-31 23:59:59.999999'::timestamp
'12345-06-07 08:09:10'::timestamp
'infinity'::timestamp
'-infinity'::timestamp
'2026-01-02 03:04:05.123456+00'::timestamptz
'2026-01-02 03:04:05.120000+02'::timestamptz
'0044-03-15 12:00:00+00 BC'::timestamptz
'0001-01-01 00:00:00+00'::timestamptz
'294276-12-31 23:59:59.999999+00'::timestamptz
'infinity'::timestamptz
'-infinity'::timestamptz
'{"2026-01-02 03:04:05+00",null,infinity}'::timestamptz[]
'0'::interval
'1 year'::interval
'1 year 1 mon 1 day'::interval
'2 years 3 mons 4 days 05:06:07.89'::interval
'-1 year -2 mons +3 days -04:05:06'::interval
'-1 mon'::interval
'-1 mons 1 day'::interval
'1 day -1 hour'::interval
'-1 day +1 hour'::interval
'-00:00:00.000001'::interval
'100:00:00'::interval
'1 mon -1 day'::interval
'13 mons'::interval
'-13 mons'::interval
'178000000 years'::interval
'2562047788:00:54.775807'::interval
'1 microsecond'::interval
'{1 day,null}'::interval[]
'192.168.0.1'::inet
'192.168.0.1/24'::inet
'0.0.0.0/0'::inet
'::1'::inet
'::'::inet
'::1.2.3.4'::inet
'::ffff:1.2.3.4'::inet
'::ffff:0:0'::inet
'::0:2'::inet
'::1:0'::inet
'2001:db8::1'::inet
'2001:db8:0:1:0:0:0:1/64'::inet
'1:0:0:2:0:0:0:3'::inet
'1:0:2:3:4:5:6:7'::inet
'fe80::/10'::inet
'1:2:3:4:5:6:0:0'::inet
'10.0.0.0/8'::cidr
'10.1.2.3/32'::cidr
'2001:db8::/32'::cidr
'::1/128'::cidr
'08:00:2b:01:02:03'::macaddr
'08:00:2b:01:02:03:04:05'::macaddr8
'{10.0.0.1,null}'::inet[]
B'101'::bit(3)
B''::varbit
B'1010101011'::varbit
'(1,2.5)'::point
'(1e20,NaN)'::point
'[(1,2),(3,4)]'::lseg
'(1,2),(3,4)'::box
'((1,2),(3,4),(5,6))'::path
'[(1,2),(3,4)]'::path
'((1,2),(3,4),(5,6))'::polygon
'<(1,2),3.5>'::circle
'{1,-2,3.25}'::line
array['(1,2),(3,4)'::box, '(0,0),(1,1)'::box]
'a:1A,2B cat:3C,4 ''it''''s'':5 ''back\\\\slash'':7'::tsvector
''::tsvector
'nopos other'::tsvector
'{}'::int[]
'{1,null,3}'::int[]
'{{1,2},{3,null}}'::int[]
'{{{1},{2}},{{3},{4}}}'::int[]
'[0:1]={5,6}'::int[]
'[-1:0][2:3]={{1,2},{3,4}}'::int[]
'{"a","b c",NULL,"NULL","\"",""}'::text[]
'{{a,b},{c,d}}'::text[]
null::int[]
5::posint
5::dd
null::dd
'2026-01-02'::ddate
'{1,2}'::ilist
array[5::posint]
array['2026-01-02'::ddate]
row(1,'x')::dcomp
row(1,'x')::inner_t
row(null,null)::inner_t
null::inner_t
array[row(1,'x')::inner_t, null]
row(row(1,'q"')::inner_t, '{1.10,null}', '2026-01-02 03:04:05+00', '{"a": 1}', array[row(2,'z')::inner_t])::outer_t
'[1,5)'::int4range
'empty'::int4range
'(,)'::int4range
'[3,]'::int8range
'[1.10,2.20]'::numrange
'["2026-01-01 00:00:00","2026-01-02 12:30:00.5")'::tsrange
'["2026-01-01 00:00:00+00","2026-01-02 12:30:00.5+00")'::tstzrange
'[-infinity,infinity]'::tstzrange
'(,"0044-03-15 12:00:00+00 BC")'::tstzrange
'[2026-01-01,2026-02-01)'::daterange
'[-infinity,0044-03-15 BC)'::daterange
'[1.5,1e23]'::frange
'["",b]'::textrange
'["a,b","c\"d\\e"]'::textrange
'["a b",z]'::textrange
'{[1,3),[5,7)}'::int4multirange
'{}'::nummultirange
'{["2026-01-01 00:00:00+00","2026-01-02 00:00:00+00")}'::tstzmultirange
'{"[1,5)",empty,NULL}'::int4range[]
pg_sleep(0)
'x'::cstring
row(7, '{1,2}', row(1, 'x'))::kept_t
array[row(7, null, null)::kept_t, null]
array['{1,2}'::ilist, '{}'::ilist]
'[2:3]={"(1,a)","(2,)"}'::inner_t[]
array[array[row(1,'x')::inner_t], array[null::inner_t]]
'[-0,NaN]'::frange
array['empty'::frange, '(,)'::frange]
'[24:00:00,24:00:00]'::timerange
'{a}'::varchar(3)[]::text[]
'{a}'::name[]::text[]
array[5::posint]::int[]
