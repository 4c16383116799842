PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE writers(
  id INTEGER PRIMARY KEY,
  uuid BLOB NOT NULL UNIQUE,
  host TEXT NOT NULL,
  boot TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started INTEGER NOT NULL,
  process TEXT NOT NULL,
  opened INTEGER NOT NULL,
  closed INTEGER,
  last_seq INTEGER
, opened_hash BLOB, closed_hash BLOB, follows TEXT);
INSERT INTO writers VALUES(1,X'b5d96ac4ef56425fa1f79c0f97196f82','documents','236b470b-7690-41ba-985f-8365ab440cee',24791,5604600,'reeve_base',1795807714157067,1795807714159910,3,X'1049a750c0c12c6bea8e2d06c6f9ebb33076307525d7eace78c604f12f27d67e',X'd1f431db445f360c6857dd524c12dd19f7bcb39a45a6880041511692070cf1ca',NULL);
CREATE TABLE segments(
  writer INTEGER NOT NULL REFERENCES writers(id),
  first_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  format INTEGER NOT NULL,
  bytes BLOB NOT NULL, previous BLOB, hash BLOB,
  PRIMARY KEY(writer, first_seq)
);
INSERT INTO segments VALUES(1,1,1,1795807714157585,1795807714157585,3,X'03010808757365723a616461046a736f6e07010573746166660901056c6576656c020e08646f632e726561640f646f633a2f66696e616e63652f7133210109646f63732f726561640103137072696e636970616c2e6c6576656c203e2033477368613235363a6439376131393936333331386135323332313532353335626261366265633034306137396135343465616636323736633263383535346336356132636633373401a21e7b1b6d75f98b04f4e0e5ebcfbcc4e7ceb00dc1a3924b909c10020101000102000000030004050600000007000000000008',X'1049a750c0c12c6bea8e2d06c6f9ebb33076307525d7eace78c604f12f27d67e',X'36b5693351cefc16422ae4933f77d87f895eab8dc1107eaa0ff62d35ed8c52ef');
INSERT INTO segments VALUES(1,2,1,1795807714158317,1795807714158317,3,X'03010908757365723a616461046a736f6e07010573746166660901056c6576656c020e08646f632e726561640f646f633a2f66696e616e63652f713310010474696d6509a0b080b00d8094ef3a210109646f63732f726561640103137072696e636970616c2e6c6576656c203e2033477368613235363a6439376131393936333331386135323332313532353335626261366265633034306137396135343465616636323736633263383535346336356132636633373401a21e7b1b6e7b338005cb3773905a01c4e7ceb00ddaf9be4ba61302010104a3b74e8094ef3a0102000000030004050600000708000000000009',X'36b5693351cefc16422ae4933f77d87f895eab8dc1107eaa0ff62d35ed8c52ef',X'436d9a661ee80946496e88b9f83dbdc6ba118b975499595182a5110ebeb50133');
INSERT INTO segments VALUES(1,3,1,1795807714158627,1795807714158627,3,X'03010708757365723a626f62046a736f6e0a646f632e64656c6574650f646f633a2f66696e616e63652f71330d010a646f63732f6e6576657200064e657665722e477368613235363a6439376131393936333331386135323332313532353335626261366265633034306137396135343465616636323736633263383535346336356132636633373401a21e7b1b6e79f6b57e20b9a0d1b0d8c4e7ceb00de4e9d14b9f0e020201000102000000000000030400000005000006000007',X'436d9a661ee80946496e88b9f83dbdc6ba118b975499595182a5110ebeb50133',X'2774c336febf6e938f2e8802da5dd56e3cb7ddc25c246c8af51df4849ef989c2');
CREATE TABLE checkpoints(
  id INTEGER PRIMARY KEY,
  writer INTEGER NOT NULL REFERENCES writers(id),
  seq INTEGER NOT NULL,
  time INTEGER NOT NULL,
  hash BLOB NOT NULL,
  key BLOB NOT NULL,
  signature BLOB NOT NULL
);
CREATE TABLE unfolded(
  writer INTEGER PRIMARY KEY REFERENCES writers(id),
  next_seq INTEGER NOT NULL
);
INSERT INTO unfolded VALUES(1,4);
CREATE TABLE unfolding(
  owner BLOB NOT NULL,
  until INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  next_number INTEGER NOT NULL
, cleared INTEGER NOT NULL DEFAULT 0);
INSERT INTO unfolding VALUES(X'',0,1,4,0);
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO names VALUES(1,'user:ada');
INSERT INTO names VALUES(2,'doc.read');
INSERT INTO names VALUES(3,'doc:/finance/q3');
INSERT INTO names VALUES(4,'json');
INSERT INTO names VALUES(5,'sha256:d97a19963318a5232152535bba6bec040a79a544eaf6276c2c8554c65a2cf374');
INSERT INTO names VALUES(6,'docs/read');
INSERT INTO names VALUES(7,'user:bob');
INSERT INTO names VALUES(8,'doc.delete');
INSERT INTO names VALUES(9,'docs/never');
CREATE TABLE texts(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text TEXT NOT NULL);
INSERT INTO texts VALUES(1,3574064407626164931,'["staff"]');
INSERT INTO texts VALUES(2,981370898136989774,'{"level":7}');
INSERT INTO texts VALUES(3,-2611803697468268611,'["docs/read"]');
INSERT INTO texts VALUES(4,-4921674987599774055,'[{"rule":"docs/read","clause":"principal.level > 3","outcome":"true"}]');
INSERT INTO texts VALUES(5,-8142072118361128520,'{"time":"2026-11-20T09:00:00.123456Z"}');
INSERT INTO texts VALUES(6,-4946673623239551569,'["docs/never"]');
INSERT INTO texts VALUES(7,5396304617826634725,'Never.');
CREATE TABLE records(
  number INTEGER PRIMARY KEY,
  writer INTEGER NOT NULL REFERENCES writers(id),
  seq INTEGER NOT NULL,
  time INTEGER NOT NULL,
  id BLOB NOT NULL,
  latency INTEGER NOT NULL,
  level INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  assurance INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  principal INTEGER NOT NULL REFERENCES names(id),
  action INTEGER NOT NULL REFERENCES names(id),
  resource INTEGER NOT NULL REFERENCES names(id),
  via INTEGER REFERENCES names(id),
  host INTEGER REFERENCES names(id),
  actor INTEGER REFERENCES names(id),
  policy INTEGER REFERENCES names(id),
  evidence INTEGER REFERENCES texts(id),
  groups INTEGER REFERENCES texts(id),
  principal_parents INTEGER REFERENCES texts(id),
  principal_attributes INTEGER REFERENCES texts(id),
  resource_parents INTEGER REFERENCES texts(id),
  resource_attributes INTEGER REFERENCES texts(id),
  context INTEGER REFERENCES texts(id),
  rules INTEGER REFERENCES texts(id),
  near_misses INTEGER REFERENCES texts(id),
  shadow_rules INTEGER REFERENCES texts(id),
  message INTEGER REFERENCES texts(id),
  obligations INTEGER REFERENCES texts(id),
  error INTEGER REFERENCES texts(id),
  clauses INTEGER REFERENCES texts(id)
, masked INTEGER REFERENCES texts(id), fixed_time INTEGER);
INSERT INTO records VALUES(1,1,1,1795807714157585,X'01a21e7b1b6d75f98b04f4e0e5ebcfbc',265744,2,1,1,0,1,2,3,4,NULL,NULL,5,NULL,1,NULL,2,NULL,NULL,NULL,3,NULL,NULL,NULL,NULL,NULL,4,NULL,NULL);
INSERT INTO records VALUES(2,1,2,1795807714158317,X'01a21e7b1b6e7b338005cb3773905a01',2470,2,1,1,4,1,2,3,4,NULL,NULL,5,NULL,1,NULL,2,NULL,NULL,5,3,NULL,NULL,NULL,NULL,NULL,4,NULL,1795165200123456);
INSERT INTO records VALUES(3,1,3,1795807714158627,X'01a21e7b1b6e79f6b57e20b9a0d1b0d8',1823,2,2,1,0,7,8,3,4,NULL,NULL,5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,6,NULL,NULL,7,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE spans(
  span INTEGER PRIMARY KEY,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  disorder INTEGER NOT NULL
);
INSERT INTO spans VALUES(0,1795807714157585,1795807714158627,0);
CREATE TABLE lists(
  span INTEGER NOT NULL REFERENCES spans(span),
  kind INTEGER NOT NULL,
  name INTEGER NOT NULL REFERENCES names(id),
  first INTEGER NOT NULL,
  offsets TEXT NOT NULL,
  PRIMARY KEY(span, kind, name, first)
) WITHOUT ROWID;
INSERT INTO lists VALUES(0,1,1,1,'1,2');
INSERT INTO lists VALUES(0,1,7,3,'3');
INSERT INTO lists VALUES(0,2,3,1,'1,2,3');
INSERT INTO lists VALUES(0,3,6,1,'1,2');
INSERT INTO lists VALUES(0,3,9,3,'3');
CREATE TABLE hours(
  hour INTEGER NOT NULL,
  rule INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(hour, rule, reason)
) WITHOUT ROWID;
INSERT INTO hours VALUES(498835,0,1,2);
INSERT INTO hours VALUES(498835,0,2,1);
INSERT INTO hours VALUES(498835,6,1,2);
INSERT INTO hours VALUES(498835,9,2,1);
CREATE TABLE prunings(
  id INTEGER PRIMARY KEY,
  writer INTEGER NOT NULL REFERENCES writers(id),
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  last_hash BLOB NOT NULL,
  time INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  hash BLOB NOT NULL,
  key BLOB,
  signature BLOB
);
CREATE INDEX texts_by_hash ON texts(id >> 16, hash);
CREATE INDEX records_by_time ON records(time);
CREATE INDEX denials_by_time ON records(time) WHERE reason <> 1;
CREATE VIEW numbers AS SELECT k.kind AS kind, n.name AS name, (l.span << 16) + o.value AS number
FROM names n
CROSS JOIN (SELECT 1 AS id, 'principal' AS kind UNION ALL SELECT 2, 'resource'
            UNION ALL SELECT 3, 'rule') k
CROSS JOIN spans s
CROSS JOIN lists l ON l.span = s.span AND l.kind = k.id AND l.name = n.id
CROSS JOIN json_each('[' || l.offsets || ']') o;
CREATE VIEW decisions_by_hour AS SELECT
  strftime('%Y-%m-%dT%H:00:00Z', h.hour * 3600, 'unixepoch') AS hour,
  n.name AS rule,
  CASE h.reason WHEN 1 THEN 'allow' ELSE 'deny' END AS decision,
  CASE h.reason
    WHEN 0 THEN 'no_policy' WHEN 1 THEN 'allow_rule' WHEN 2 THEN 'deny_rule'
    WHEN 3 THEN 'deny_unknown' WHEN 4 THEN 'no_rule' WHEN 5 THEN 'bad_request'
    WHEN 6 THEN 'limit' WHEN 7 THEN 'audit_failed'
  END AS reason,
  h.count AS count,
  h.hour * 3600000000 AS unix_us
FROM hours h LEFT JOIN names n ON n.id = h.rule;
CREATE INDEX prunings_by_writer ON prunings(writer, last_seq);
CREATE VIEW decisions AS SELECT
  lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' ||
        substr(hex(r.id), 13, 4) || '-' || substr(hex(r.id), 17, 4) || '-' ||
        substr(hex(r.id), 21)) AS id,
  strftime('%Y-%m-%dT%H:%M:%S', (r.time - (r.time % 1000000 + 1000000) % 1000000) / 1000000,
           'unixepoch') ||
    printf('.%06dZ', (r.time % 1000000 + 1000000) % 1000000) AS time,
  CASE r.reason WHEN 1 THEN 'allow' ELSE 'deny' END AS decision,
  CASE r.reason
    WHEN 0 THEN 'no_policy' WHEN 1 THEN 'allow_rule' WHEN 2 THEN 'deny_rule'
    WHEN 3 THEN 'deny_unknown' WHEN 4 THEN 'no_rule' WHEN 5 THEN 'bad_request'
    WHEN 6 THEN 'limit' WHEN 7 THEN 'audit_failed'
  END AS reason,
  p.name AS principal,
  a.name AS action,
  s.name AS resource,
  coalesce((SELECT text FROM texts WHERE id = r.rules), '[]') AS rules,
  (SELECT text FROM texts WHERE id = r.message) AS message,
  (SELECT text FROM texts WHERE id = r.error) AS error,
  CASE r.assurance
    WHEN 0 THEN 'none' WHEN 1 THEN 'asserted' WHEN 2 THEN 'kernel_weak'
    WHEN 3 THEN 'kernel' WHEN 4 THEN 'crypto'
  END AS principal_assurance,
  (SELECT name FROM names WHERE id = r.via) AS via,
  (SELECT name FROM names WHERE id = r.host) AS host,
  (SELECT name FROM names WHERE id = r.actor) AS actor,
  (SELECT text FROM texts WHERE id = r.evidence) AS evidence,
  CASE WHEN r.flags & 8 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.groups), '[]') END AS groups,
  r.flags & 2 = 0 AS groups_complete,
  CASE WHEN r.flags & 16 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.principal_parents), '[]')
  END AS principal_parents,
  CASE WHEN r.flags & 32 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.principal_attributes), '{}')
  END AS principal_attributes,
  CASE WHEN r.flags & 64 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.resource_parents), '[]')
  END AS resource_parents,
  CASE WHEN r.flags & 128 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.resource_attributes), '{}')
  END AS resource_attributes,
  CASE WHEN r.flags & 256 THEN NULL
    ELSE coalesce((SELECT text FROM texts WHERE id = r.context), '{}') END AS context,
  coalesce((SELECT text FROM texts WHERE id = r.near_misses), '[]') AS near_misses,
  coalesce((SELECT text FROM texts WHERE id = r.shadow_rules), '[]') AS shadow_rules,
  coalesce((SELECT text FROM texts WHERE id = r.obligations), '[]') AS obligations,
  (SELECT name FROM names WHERE id = r.policy) AS policy,
  r.latency AS latency_ns,
  CASE r.level WHEN 1 THEN 'recorded' WHEN 2 THEN 'durable' END AS audit_level,
  r.flags & 1 <> 0 AS escaped,
  r.flags & 4 <> 0 AS time_fixed,
  r.writer AS writer,
  r.seq AS seq,
  w.process || '[' || w.pid || ']' AS process,
  w.host AS machine,
  r.number AS number,
  r.time AS unix_us,
  coalesce((SELECT text FROM texts WHERE id = r.clauses), '[]') AS clauses,
  coalesce((SELECT text FROM texts WHERE id = r.masked), '{}') AS masked,
  strftime('%Y-%m-%dT%H:%M:%S', (coalesce(r.fixed_time, iif(r.flags & 4, r.time, NULL)) -
           (coalesce(r.fixed_time, iif(r.flags & 4, r.time, NULL)) % 1000000 + 1000000) % 1000000) /
           1000000, 'unixepoch') ||
    printf('.%06dZ', (coalesce(r.fixed_time, iif(r.flags & 4, r.time, NULL)) % 1000000 + 1000000) % 1000000)
    AS fixed_time,
  r.flags & 1024 = 0 AS principal_complete,
  r.flags & 2048 = 0 AS resource_complete
FROM records r
JOIN names p ON p.id = r.principal
JOIN names a ON a.id = r.action
JOIN names s ON s.id = r.resource
JOIN writers w ON w.id = r.writer;
COMMIT;
PRAGMA application_id = 1382376822;
PRAGMA user_version = 6;
