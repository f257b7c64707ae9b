"""One module a verb; `jewelcase.main.VERBS` names them all."""
