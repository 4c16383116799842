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
);
INSERT INTO writers VALUES(1,X'83c959dd295e40b8bc69df59956d197a','web-1','6f1c4c7e-0000-4000-8000-000000000000',811,152186,'documentd',1795764931733591,1795764931739906,2);
INSERT INTO writers VALUES(2,X'104da6e526d749bd965310de854c1b12','web-1','6f1c4c7e-0000-4000-8000-000000000000',812,152186,'documentd',1795764931761304,NULL,NULL);
CREATE TABLE segments(
  writer INTEGER NOT NULL REFERENCES writers(id),
  first_seq INTEGER NOT NULL,
  count INTEGER NOT NULL,
  min_time INTEGER NOT NULL,
  max_time INTEGER NOT NULL,
  format INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY(writer, first_seq)
);
INSERT INTO segments VALUES(1,1,1,1795764931734321,1795764931734321,2,X'02010708757365723a616461046a736f6e0901056c6576656c020e08646f632e726561640f646f633a2f66696e616e63652f7133210109646f63732f726561640103137072696e636970616c2e6c6576656c203e2033477368613235363a6436366233313630656630353634346132653630666238393064396536396465356563336163373538663731626239376130366335613431633539646333313301a21bee4c9677179afc684e6d27c08d86cbc9b00d83b893de02e1ae05010101000102000000000003040500000006000000000007');
INSERT INTO segments VALUES(1,2,1,1795764931739085,1795764931739085,2,X'02010708757365723a616461046a736f6e0901056c6576656c020408646f632e726561640f646f633a2f66696e616e63652f7134210109646f63732f726561640101137072696e636970616c2e6c6576656c203e2033477368613235363a6436366233313630656630353634346132653630666238393064396536396465356563336163373538663731626239376130366335613431633539646333313301a21bee4c9b795d8aef4b7c21a5750986cbc9b00dab9cb6e00296f802010401000102000000000003040500000000060000000007');
INSERT INTO segments VALUES(2,1,1,1795764931762584,1795764931762584,2,X'02010708757365723a616461046a736f6e0901056c6576656c020e08646f632e726561640f646f633a2f66696e616e63652f7133210109646f63732f726561640103137072696e636970616c2e6c6576656c203e2033477368613235363a6436366233313630656630353634346132653630666238393064396536396465356563336163373538663731626239376130366335613431633539646333313301a21bee4cb27d1484694324b962c05e86cbc9b00d96bdd0eb02d7b404010101000102000000000003040500000006000000000007');
CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
INSERT INTO names VALUES(1,'user:ada');
INSERT INTO names VALUES(2,'doc.read');
INSERT INTO names VALUES(3,'doc:/finance/q3');
INSERT INTO names VALUES(4,'json');
INSERT INTO names VALUES(5,'sha256:d66b3160ef05644a2e60fb890d9e69de5ec3ac758f71bb97a06c5a41c59dc313');
INSERT INTO names VALUES(6,'docs/read');
INSERT INTO names VALUES(7,'doc:/finance/q4');
CREATE TABLE texts(id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text TEXT NOT NULL);
INSERT INTO texts VALUES(1,981370898136989774,'{"level":7}');
INSERT INTO texts VALUES(2,-2611803697468268611,'["docs/read"]');
INSERT INTO texts VALUES(3,-4921674987599774055,'[{"rule":"docs/read","clause":"principal.level > 3","outcome":"true"}]');
INSERT INTO texts VALUES(4,976581425485448783,'{"level":2}');
INSERT INTO texts VALUES(5,-8830281768258667874,'[{"rule":"docs/read","clause":"principal.level > 3","outcome":"false"}]');
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
  error INTEGER REFERENCES texts(id)
, clauses INTEGER REFERENCES texts(id));
INSERT INTO records VALUES(1,1,1,1795764931734321,X'01a21bee4c9677179afc684e6d27c08d',87905,1,1,1,0,1,2,3,4,NULL,NULL,5,NULL,NULL,NULL,1,NULL,NULL,NULL,2,NULL,NULL,NULL,NULL,NULL,3);
INSERT INTO records VALUES(2,1,2,1795764931739085,X'01a21bee4c9b795d8aef4b7c21a57509',48150,1,4,1,0,1,2,7,4,NULL,NULL,5,NULL,NULL,NULL,4,NULL,NULL,NULL,NULL,2,NULL,NULL,NULL,NULL,5);
INSERT INTO records VALUES(3,2,1,1795764931762584,X'01a21bee4cb27d1484694324b962c05e',72279,1,1,1,0,1,2,3,4,NULL,NULL,5,NULL,NULL,NULL,1,NULL,NULL,NULL,2,NULL,NULL,NULL,NULL,NULL,3);
CREATE TABLE rule_records(
  rule INTEGER NOT NULL REFERENCES names(id),
  time INTEGER NOT NULL,
  record INTEGER NOT NULL REFERENCES records(number),
  PRIMARY KEY(rule, time, record)
) WITHOUT ROWID;
INSERT INTO rule_records VALUES(6,1795764931734321,1);
INSERT INTO rule_records VALUES(6,1795764931762584,3);
CREATE INDEX texts_by_hash ON texts(hash);
CREATE INDEX records_by_time ON records(time);
CREATE INDEX records_by_principal ON records(principal, time);
CREATE INDEX records_by_resource ON records(resource, time);
CREATE INDEX records_by_id ON records(id);
CREATE INDEX denials_by_time ON records(time) WHERE reason <> 1;
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
  coalesce((SELECT text FROM texts WHERE id = r.clauses), '[]') AS clauses
FROM records r
JOIN names p ON p.id = r.principal
JOIN names a ON a.id = r.action
JOIN names s ON s.id = r.resource
JOIN writers w ON w.id = r.writer;
COMMIT;
PRAGMA application_id = 1382376822;
PRAGMA user_version = 2;
