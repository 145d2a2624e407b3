-- How each side of a call would be judged by its sound (E-model, 1 to 4.5): what came from it.
ALTER TABLE calls ADD COLUMN caller_mos REAL;
ALTER TABLE calls ADD COLUMN agent_mos REAL;
