-- The times of the doctors, counted from the day on which the table is made, and the patients whom we know.
CREATE TABLE slots (
  field   TEXT NOT NULL,
  doctor  TEXT NOT NULL,
  day     TEXT NOT NULL,
  time    TEXT NOT NULL,
  patient TEXT NOT NULL DEFAULT ''    -- empty: free
);
INSERT INTO slots VALUES
  ('dentist',    'Doctor Adams', date('now', '+1 day'),  '09:00', 'Mary Jones'),
  ('dentist',    'Doctor Adams', date('now', '+2 days'), '10:30', ''),
  ('dentist',    'Doctor Baker', date('now', '+2 days'), '14:15', ''),
  ('dentist',    'Doctor Adams', date('now', '+5 days'), '08:00', ''),
  ('eye doctor', 'Doctor Clark', date('now', '+3 days'), '11:45', ''),
  ('eye doctor', 'Doctor Clark', date('now', '+4 days'), '16:00', '');
CREATE TABLE patients (
  phone TEXT PRIMARY KEY,             -- as [numbers] writes it
  name  TEXT NOT NULL,
  nurse TEXT NOT NULL                 -- an agent of cc.toml
);
INSERT INTO patients VALUES
  ('+442079460018', 'Mary Jones', 'grace'),
  ('+442079460019', 'John Smith', 'henry');
