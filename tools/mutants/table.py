"""All mutants. A promise of the product stands behind each: add the line that would break yours."""

from tools.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    # Suspects: who has seen what, and what may not be believed.
    Mutant(
        "ledger-after-asking",
        "the ledger is written after the suspect is asked",
        "nf/stages/watch.py",
        """            before_queries=lambda: ledger.show(issued.digest, suspect.name, at),
        )
""",
        """        )
        ledger.show(issued.digest, suspect.name, at)
""",
        ("tests/stages/test_watch.py",),
    ),
    Mutant(
        "retired-set-shown-again",
        "a query set that is retired may be shown again",
        "nf/monitoring/ledger.py",
        'if known.digest == digest and (even_retired or known.status != "retired"):',
        "if known.digest == digest:",
        ("tests/monitoring/test_ledger.py",),
    ),
    Mutant(
        "old-sets-stay-in-use",
        "a new query set retires no older one",
        "nf/monitoring/ledger.py",
        "burnt_at=known.burnt_at or new.issued_at",
        "burnt_at=known.burnt_at",
        ("tests/monitoring/test_ledger.py",),
    ),
    Mutant(
        "announced-before-told",
        "a change counts as announced before the webhook took it",
        "flows/operations.py",
        """    call_webhook({"profile": run.profile.name, **change.to_json()})
    emit_change(run.profile.name, change)
    mark_announced(run, change)
""",
        """    mark_announced(run, change)
    call_webhook({"profile": run.profile.name, **change.to_json()})
    emit_change(run.profile.name, change)
""",
        ("tests/flows/test_operations.py",),
    ),
    Mutant(
        "budget-counted-after",
        "images that a suspect failed to answer are not counted",
        "nf/suspects/counting.py",
        """        self.queries = asked
        return self._predictor(images)
""",
        """        answers = self._predictor(images)
        self.queries = asked
        return answers
""",
        ("tests/suspects/test_counting.py",),
    ),
    Mutant(
        "budget-checked-after",
        "images over the budget are sent before they are refused",
        "nf/suspects/counting.py",
        """        asked = self.queries + len(images)
        if asked""",
        """        asked = self.queries + len(images)
        self._predictor(images)
        if asked""",
        ("tests/suspects/test_counting.py",),
    ),
    Mutant(
        "memory-limit-not-set",
        "a suspect's process has no limit of memory",
        "nf/suspects/child.py",
        "    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))\n",
        "",
        ("tests/suspects/test_isolated.py::test_too_little_memory_for_the_runtime_itself",),
    ),
    Mutant(
        "environment-handed-on",
        "a suspect's process gets the environment, with its secrets",
        "nf/suspects/isolated.py",
        "    return {**kept, ",
        "    return {**os.environ, **kept, ",
        ("tests/suspects/test_isolated.py::test_a_suspect_gets_nothing_of_the_environment",),
    ),
    Mutant(
        "functions-not-inspected",
        "the nodes of an ONNX file's own functions are not looked at",
        "nf/suspects/inspect_onnx.py",
        """    for function in model.functions:
        yield from function.node
""",
        "",
        ("tests/suspects/test_hostile_models.py",),
    ),
    Mutant(
        "sparse-weights-not-inspected",
        "sparse weights may lie in other files",
        "nf/suspects/inspect_onnx.py",
        "        yield tensor.values\n",
        "",
        ("tests/suspects/test_hostile_models.py",),
    ),
    Mutant(
        "labels-from-one",
        "labels that count from 1 are taken",
        "nf/suspects/query.py",
        "answers.max() >= known",
        "answers.max() > known",
        ("tests/suspects/test_query.py",),
    ),
    # Verdicts and their numbers.
    Mutant(
        "threshold-strict",
        "a suspect whose score is the threshold passes for honest",
        "nf/verdict/decision.py",
        "outcome=OUTCOMES[1] if score >= threshold",
        "outcome=OUTCOMES[1] if score > threshold",
        ("tests/verdict/test_decision.py",),
    ),
    Mutant(
        "no-number-is-honest",
        "a score that is no number passes for honest",
        "nf/verdict/decision.py",
        "if not 0 <= score <= 1:",
        "if score < 0 or score > 1:",
        ("tests/verdict/test_decision.py",),
    ),
    Mutant(
        "calibration-of-others",
        "a verdict on labels quotes error rates of verdicts on probabilities",
        "nf/verdict/decision.py",
        "kept = None if one_hot and known is None else benchmark",
        "kept = benchmark",
        ("tests/verdict/test_decision.py",),
    ),
    Mutant(
        "interval-one-sided",
        "an interval leaves the whole error to one side",
        "nf/core/proportions.py",
        "tail = (1 - confidence) / 2",
        "tail = 1 - confidence",
        ("tests/verdict/test_decision.py",),
    ),
    Mutant(
        "interval-of-the-wrong-side",
        "the upper end of an interval is that of the successes",
        "nf/core/proportions.py",
        "[1 - _lower(total - count, total, tail) for",
        "[1 - _lower(count, total, tail) for",
        ("tests/verdict/test_decision.py",),
    ),
    Mutant(
        "digest-without-labels",
        "the digest of a query set leaves the labels out",
        "nf/core/queries.py",
        "parts = [np.ascontiguousarray(a) for a in self._tensors().values()]",
        'parts = [np.ascontiguousarray(a) for name, a in self._tensors().items() if "labels" not in name]',
        ("tests/core/test_artifacts.py",),
    ),
    Mutant(
        "aruc-ties-positive",
        "a positive whose score is the threshold counts as missed",
        "nf/evaluation/aruc.py",
        "scores[..., None] >= np.asarray(t)",
        "scores[..., None] > np.asarray(t)",
        ("tests/evaluation/test_aruc.py",),
    ),
    Mutant(
        "aruc-ties-negative",
        "a negative whose score is the threshold counts as left alone",
        "nf/evaluation/aruc.py",
        "scores[..., None] < np.asarray(t)",
        "scores[..., None] <= np.asarray(t)",
        ("tests/evaluation/test_aruc.py",),
    ),
    Mutant(
        "training-models-evaluated",
        "training models are counted among the suspects",
        "nf/evaluation/evaluate.py",
        'suspects = table.select(pool="suspects")\n    thieves',
        "suspects = table\n    thieves",
        ("tests/evaluation/test_evaluate.py",),
    ),
    # Data, seeds and files.
    Mutant(
        "others-see-test-images",
        "honest models with data of their own learn from test images",
        "nf/data/splits.py",
        "_without(others.train, raw.train, *([raw.test] if raw.test is not None else []))",
        "_without(others.train, raw.train)",
        ("tests/data/test_data.py::test_strangers_learn_from_no_test_image",),
    ),
    Mutant(
        "mirror-from-the-owners-half",
        "the mirror learns from the owner's images",
        "nf/zoo/fingerbench.py",
        '("negative", "B", None)',
        '("negative", "A", None)',
        ("tests/zoo/test_fingerbench.py",),
    ),
    Mutant(
        "suspects-in-the-training-pool",
        "a suspect may be a training model",
        "nf/zoo/fingerbench.py",
        "        if spec.id in known:\n",
        "        if spec.id in ():\n",
        ("tests/zoo/test_fingerbench.py",),
    ),
    Mutant(
        "training-models-share-seeds",
        "a training model has the seed of the suspect that is made like it",
        "nf/zoo/plan.py",
        'derive_seed(self.profile.seed, "zoo", spec.id)',
        'derive_seed(self.profile.seed, "zoo", spec.id.rsplit("-t", 1)[0])',
        ("tests/zoo/test_fingerbench.py",),
    ),
    Mutant(
        "seeds-by-joined-names",
        "seeds of other names are the same once the names are joined",
        "nf/core/seeds.py",
        '"\\x1f".join(',
        '"".join(',
        ("tests/core/test_artifacts.py",),
    ),
    Mutant(
        "model-card-first",
        "a model's card is written before its weights",
        "nf/models/checkpoint.py",
        """    write_bytes(folder / WEIGHTS_FILE, data)
    write_sealed(folder / CARD_FILE, whole)
""",
        """    write_sealed(folder / CARD_FILE, whole)
    write_bytes(folder / WEIGHTS_FILE, data)
""",
        ("tests/models/test_training.py::test_a_model_whose_weights_cannot_be_written_has_no_card",),
    ),
    Mutant(
        "detectors-card-first",
        "the detectors' card is written before their weights",
        "nf/detection/artifacts.py",
        """    write_bytes(folder / WEIGHTS_FILE, data)
    write_sealed(folder / CARD_FILE, {**card, "runs": runs, "weights_sha256": sha256_bytes(data)})
""",
        """    write_sealed(folder / CARD_FILE, {**card, "runs": runs, "weights_sha256": sha256_bytes(data)})
    write_bytes(folder / WEIGHTS_FILE, data)
""",
        ("tests/detection/test_detector.py::test_detectors_whose_weights_cannot_be_written_have_no_card",),
    ),
    # Training and attacks.
    Mutant(
        "fit-leaves-training-mode",
        "a trained model stays in training mode",
        "nf/models/training.py",
        """    model.eval()
    if not math""",
        "    if not math",
        ("tests/attacks/test_by_hand.py", "tests/models/test_training.py"),
    ),
    Mutant(
        "prediction-in-training-mode",
        "a model in training mode predicts by its batch's statistics",
        "nf/models/training.py",
        """    model.eval()
    batches""",
        "    batches",
        ("tests/models/test_training.py::test_prediction_is_in_eval_mode",),
    ),
    Mutant(
        "momentum-lost",
        "SGD has no momentum",
        "nf/models/engine.py",
        """            momentum=config.momentum,
            nesterov=config.momentum > 0,
""",
        "",
        ("tests/models/test_training.py::test_updates_are_those_of_a_plain_loop",),
    ),
    Mutant(
        "decay-of-everything",
        "biases and norms decay like filters",
        "nf/models/training.py",
        '"weight_decay": 0.0}',
        '"weight_decay": config.weight_decay}',
        ("tests/models/test_training.py::test_updates_are_those_of_a_plain_loop",),
    ),
    Mutant(
        "adversarial-share-ignored",
        "adversarial training attacks all images, whatever its share",
        "nf/attacks/modification.py",
        "count = round(share * len(images))",
        "count = len(images)",
        ("tests/attacks/test_by_hand.py",),
    ),
    Mutant(
        "pgd-in-training-mode",
        "adversarial examples are made in training mode",
        "nf/attacks/modification.py",
        "        model.eval()\n        attacked",
        "        attacked",
        ("tests/attacks/test_by_hand.py",),
    ),
    Mutant(
        "temperature-ignored",
        "distillation ignores its temperature",
        "nf/attacks/extraction.py",
        "job.require_victim(), config.temperature",
        "job.require_victim(), 1.0",
        ("tests/attacks/test_by_hand.py",),
    ),
    Mutant(
        "knockoff-augmented",
        "knockoff images are augmented after they were asked",
        "nf/attacks/extraction.py",
        "answers, schedule, seed=job.seed, precision",
        "answers, schedule, seed=job.seed, augment=job.augment, precision",
        ("tests/attacks/test_by_hand.py",),
    ),
    Mutant(
        "pruned-weights-grow-back",
        "pruned weights come back while fine-tuning",
        "nf/attacks/modification.py",
        "job.fit(model, config.schedule, after_step=hold)",
        "job.fit(model, config.schedule)",
        ("tests/attacks/test_attacks.py::test_pruned_weights_stay_zero_and_are_the_smallest",),
    ),
    # Detectors.
    Mutant(
        "detectors-learn-from-the-test-half",
        "detectors learn from the images that they are judged by",
        "nf/stages/detectors.py",
        'for name in ("finetune", "test"))\n    source',
        'for name in ("test", "finetune"))\n    source',
        ("tests/stages/test_detectors.py",),
    ),
    Mutant(
        "half-detectors-learn-from-the-test-half",
        "detectors that know half of the queries learn from the test half",
        "nf/stages/detect.py",
        'for name in ("finetune", "test"))\n    found',
        'for name in ("test", "finetune"))\n    found',
        ("tests/stages/test_detect.py",),
    ),
    Mutant(
        "all-queries-known",
        "detectors that know half of the queries learn from all of them",
        "nf/stages/detect.py",
        "train_detector(normal, known, config",
        "train_detector(normal, queries, config",
        ("tests/stages/test_detect.py",),
    ),
    # Fingerprints.
    Mutant(
        "twins-not-joined",
        "twins do not join the negatives of a scheme that wants them",
        "nf/stages/fingerprint.py",
        "        negatives += owners\n",
        "",
        ("tests/stages/test_fingerprint.py",),
    ),
    Mutant(
        "suspects-teach",
        "suspects are among the models that a fingerprint is made from",
        "nf/stages/fingerprint.py",
        'lineage.select(pool="training", role="negative")',
        'lineage.select(role="negative")',
        ("tests/stages/test_fingerprint.py",),
    ),
    Mutant(
        "labels-from-positives",
        "adversarial labels come from the positives instead of the negatives",
        "nf/fingerprints/naturalfinger/select.py",
        'models.negatives if config.label == "negative" else models.positives',
        'models.positives if config.label == "negative" else models.negatives',
        ("tests/fingerprints/test_select.py",),
    ),
    Mutant(
        "last-transform-not-screened",
        "queries are not screened under the last transform",
        "nf/fingerprints/naturalfinger/screen.py",
        "for name in config.transforms:",
        "for name in config.transforms[:-1]:",
        ("tests/fingerprints/test_screen.py",),
    ),
    Mutant(
        "transforms-screened-once",
        "a random transform is drawn once, whatever is set",
        "nf/fingerprints/naturalfinger/screen.py",
        "1 if name in DETERMINISTIC else config.screen_repeats",
        "1",
        ("tests/fingerprints/test_screen.py",),
    ),
    Mutant(
        "rounding-stops-the-gradient",
        "rounding lets no gradient pass",
        "nf/fingerprints/naturalfinger/optimise.py",
        "return images + (stored - images).detach()",
        "return images * 0 + stored",
        ("tests/fingerprints/test_optimise.py",),
    ),
    Mutant(
        "discriminator-sign",
        "the discriminator's term has the other sign",
        "nf/fingerprints/naturalfinger/optimise.py",
        "objective + config.discriminator_weight",
        "objective - config.discriminator_weight",
        ("tests/fingerprints/test_optimise.py",),
    ),
    Mutant(
        "naturalness-sign",
        "a hinge discriminator's term has the other sign",
        "nf/gan/losses.py",
        'torch.relu(1 + logits) if sign == "published" else torch.relu(1 - logits)',
        'torch.relu(1 - logits) if sign == "published" else torch.relu(1 + logits)',
        ("tests/gan/test_gan_losses.py",),
    ),
    Mutant(
        "critic-sign",
        "a critic's term has the other sign",
        "nf/gan/losses.py",
        'return logits if sign == "published" else -logits',
        'return -logits if sign == "published" else logits',
        ("tests/gan/test_gan_losses.py",),
    ),
    Mutant(
        "ipguard-target",
        "IPGuard leads to the second likeliest class instead of the least likely",
        "nf/fingerprints/ipguard.py",
        "logits[right].argmin(dim=1)",
        "logits[right].topk(2).indices[:, 1]",
        ("tests/fingerprints/test_rivals.py::test_ipguard_leads_to_the_least_likely_class",),
    ),
    Mutant(
        "metafinger-judged-by-learners",
        "MetaFinger's held-out models learn, too",
        "nf/fingerprints/metafinger.py",
        "pairs[self.config.held_out :]",
        "pairs",
        ("tests/fingerprints/test_rivals.py::test_metafinger_does_not_learn_from_the_models_that_it_holds_out",),
    ),
)
