"""The word lists that a new help center begins with; from then on its own, in the admin, are what counts.

One phrase a line, in the notation of `assistant.matters`; "=" behind it: counts only where nothing else is said;
"!": an exception. Chosen so that a question about a subject is answered and a demand goes to a person: "How do I
cancel?" is none, "I want to complain" is one.
"""

from typing import Final

from assistant.matters import Phrase
from assistant.models import Matter
from knowledge.models import Language

_ALONE, _EXCEPTION = "=", "!"  # behind a phrase

_PHRASES: Final[dict[tuple[Matter, Language], str]] = {
    (Matter.PERSON, Language.GERMAN): """
        mit * mensch/mitarbeiter/person/berater/kundenberater/ansprechpartner/kundendienst/kundenservice/kundenbetreuer/servicemitarbeiter/sachbearbeiter/support * sprechen/reden/telefonieren/chatten/unterhalten
        sprechen/reden/telefonieren/chatten * mit * mensch/mitarbeiter/berater/kundenberater/ansprechpartner/kundendienst/kundenservice/kundenbetreuer/sachbearbeiter/support
        mit jemandem/wem * sprechen/reden/unterhalten
        jemand * mit dem/der * sprechen/reden/telefonieren
        mensch/mitarbeiter * antworten/antwortet/helfen/hilft/melden/meldet/kümmern/kümmert/anrufen/zurückrufen
        gespräch * mit * mensch/mitarbeiter/kollege/berater/ansprechpartner/jemandem
        brauche/benötige/möchte/hätte/will/suche * ansprechpartner/mitarbeiter/berater/sachbearbeiter
        telefonnummer * jemand/rangeht/mitarbeiter/mensch
        mensch/mitarbeiter/kundenberater/ansprechpartner/sachbearbeiter sprechen
        menschlich * mitarbeiter/berater/ansprechpartner/hilfe/unterstützung/support/kontakt
        echt/richtig/lebendig/leibhaftig * mensch/mitarbeiter/berater
        echte/richtige person
        verbinden * mit * mensch/mitarbeiter/berater/ansprechpartner/kundendienst/kundenservice/support/jemandem
        mensch/mitarbeiter/berater/kundendienst/kundenservice/support * verbinden/verbunden
        an * mensch/mitarbeiter/kollege/ansprechpartner/sachbearbeiter weiterleiten/übergeben/weitergeben/weiterreichen
        nicht * mit * bot/chatbot/roboter/maschine/computer/automat/ki
        kein/keinen bot/chatbot/roboter/maschine/automat
        kein/keinen/keine * mensch/mitarbeiter/ansprechpartner * erreichen/erreichbar/sprechen/finden
        mensch statt
        um * rückruf
        rückruf bitte
        echt/richtig * ansprechpartner/person
        erreiche/erreichen * mensch
        mich * mit * techniker/experte/fachmann/filiale verbinden
        rückruf erbeten/erwünscht/gewünscht/erbitten
        stellen/stell sie/mich * durch
        am/per telefon * klären/besprechen
        jemand da =
        ist da jemand
        maschine/bot/chatbot/roboter/computer * rede/reden/schreibe/schreiben * nicht
        rückruf * vereinbaren/anfordern/wünschen
        rufen sie mich
        ruft/ruf mich * an/zurück
        mich * jemand/mitarbeiter/kollege * anrufen/zurückrufen
        jemand * mich * anrufen/zurückrufen
        persönlichen/persönlicher ansprechpartner
        persönlich mit * sprechen/reden
        mensch =
        mitarbeiter =
        person =
        kundendienst =
        kundenservice =
        kundenbetreuung =
        hotline =
        support =
        berater =
        ansprechpartner =
        rückruf =
        agent =
        support/kundenservice/kundendienst/hotline kontaktieren/erreichen/anrufen =
    """,
    (Matter.PERSON, Language.ENGLISH): """
        talk/speak/chat to/with * human/person/people/representative/rep/agent/advisor/adviser/operator/manager/supervisor/staff/colleague/support
        talk/speak to/with someone/somebody/anyone/anybody/one
        talk/speak directly to/with
        human/live/real/actual agent/person/human/representative/operator/assistant/advisor/adviser/colleague/support/being/chat
        real/actual/human people
        connect/transfer/put/pass/forward/redirect/escalate me/us/this * to/with/through * human/person/agent/representative/rep/operator/someone/somebody/support/advisor/colleague
        need/want/get/give/like a/an/me human/representative/operator
        get/give me a/an human/representative/operator/agent/person
        is there/anyone/anybody/someone * human/person * here/there/end/line/talk/speak/help/contact
        is there/anyone/anybody/someone * talk/speak/chat to/with
        is this/it a bot/robot/machine/chatbot
        want/need/like * human/person/someone * help/answer/reply/look/deal/call/contact
        call/ring/phone me back
        call me please
        please call/phone/ring me
        could/can/would someone/somebody/anyone * call/phone/ring/contact me/us
        have/get someone/somebody * call/phone/ring/contact me/us
        request/arrange/schedule/want/need/like a callback
        no/not/dont/stop * bot/bots/chatbot/robot/machine
        tired/sick of * bot/bots/chatbot/robot/machine
        cant/cannot/not/never * reach/get * anyone/anybody/human/person/representative
        human instead
        can/could/let a human
        human * look/answer/help/check/read
        bot/chatbot/robot * useless/stupid/rubbish/pointless/annoying
        want/need a person/human
        phone number * talk/speak/human/person
        human =
        agent =
        representative =
        operator =
        person =
        advisor/adviser =
        callback =
        customer/client service/support/care =
        contact/call/phone customer service/support =
        help desk =
        contact/call support =
        contact us/you =
    """,
    (Matter.COMPLAINT, Language.GERMAN): """
        mich/uns * beschweren
        beschwere/beschweren mich/uns
        möchte/will/habe/werde/muss/hiermit/lege/reiche/erhebe * beschwerde
        mein/meine beschwerde
        unverschämt/unverschämtheit/frechheit/saftladen/sauladen/abzocke/abzocker/abgezockt/verarscht/verarsche/verarschung
        sauerei/schweinerei/skandalös/unmöglich * service/kundenservice/verhalten/zustand/laden
        das/es/ist * skandal/zumutung/witz/sauerei/schweinerei
        schlecht/mies/unterirdisch/schrecklich/furchtbar/katastrophal/grottig/erbärmlich * service/kundenservice/kundendienst/support/laden/firma
        service/kundenservice/kundendienst/support * katastrophe/katastrophal/unterirdisch/unmöglich/mies/schrecklich/grottig/erbärmlich/schlecht
        bin/sind/wir * enttäuscht/sauer/stinksauer/wütend/verärgert/unzufrieden/genervt
        sehr/total/extrem/so/maßlos/absolut/mehr/ziemlich enttäuscht/stinksauer/verärgert/unzufrieden
        mir/uns reicht * es/jetzt
        mir reichts
        reicht mir
        nase/schnauze voll
        lasse/lassen * nicht * gefallen
        seit * woche/monat/tag * keine/niemand * antwort/rückmeldung/reaktion/meldet/antwortet
        niemand/keiner * meldet/antwortet/reagiert/kümmert
        aller kanone/sau
        lasse/lassen * nicht * bieten
        keine/niemand * antwort/rückmeldung/reaktion/meldet/antwortet * seit * woche/monat
        warte * seit * woche/monat
        seit * woche/monat/tag * höre/hören/passiert/tut * nichts
        höre/hören/passiert/tut * seit * woche/monat/tag * nichts
        geht so nicht * weiter
        das geht so nicht
        seit * woche/monat * warte * antwort/ersatz/lieferung/rückmeldung/geld/reparatur
        ihr/sie betrüger/verbrecher
        betrüger/betrügerverein/abzockverein
        das ist * betrug
        nie/niemals wieder * bei euch/ihnen
    """,
    (Matter.COMPLAINT, Language.ENGLISH): """
        want/like/wish/need/going/have * complaint/complain
        make/file/lodge/register/raise/submit a/my/an * complaint =
        am/im/are complaining
        my complaint
        making a * complaint
        ridiculous/unacceptable/outrageous/disgraceful/disgusting/shambles/farce
        rip off
        ripped/ripping us/me off
        you scammers/crooks/thieves/liars
        you are scammers/crooks/thieves/liars
        a/what/is/was scam/joke/disgrace of a company/service/support/shop/firm
        this/it/company/service is/was a scam/joke/disgrace
        worst/terrible/awful/horrible/appalling/poor/shocking/dreadful/lousy/abysmal * service/support/experience/company
        service/support is/was/has * terrible/awful/horrible/appalling/poor/shocking/dreadful/useless/joke
        fed up
        had enough of * you/your/this
        sick and tired
        am/im/very/extremely/really/so/beyond * angry/furious/disappointed/frustrated/dissatisfied/disgusted/unhappy
        nobody/noone * answers/answered/replies/replied/responds/responded/cares/called/reply/answer/respond
        no one * answers/answered/replies/replied/responds/responded/cares/called/reply/answer/respond
        nobody/noone gets/got/comes * back
        no one gets/got/comes * back
        still * not/no/havent/waiting * answer/reply/response/heard
        waiting/waited for/over * weeks/months
        weeks/months * no/not/without * answer/reply/response
        never again
    """,
    (Matter.PAYMENT_DISPUTE, Language.GERMAN): """
        doppelt/zweimal/dreimal/mehrfach/mehrmals * abgebucht/belastet/berechnet/kassiert/eingezogen/gezahlt/bezahlt
        abgebucht/belastet/berechnet/eingezogen * doppelt/zweimal/dreimal/mehrfach
        doppelte/falsche/fehlerhafte/unrechtmäßige abbuchung/berechnung/buchung
        viel/falsch/falscher/falsche/unberechtigt/grundlos * abgebucht/berechnet/kassiert/eingezogen
        ohne * genehmigung/erlaubnis/zustimmung/einwilligung/grund/auftrag/wissen * abgebucht/eingezogen/abbuchen
        trotz * kündigung/storno/widerruf * abgebucht/eingezogen/belastet/berechnet
        obwohl * gekündigt/storniert/widerrufen * abgebucht/abbuchen/berechnet
        abbuchen/buchen/abgebucht/berechnet * obwohl * gekündigt/storniert/widerrufen
        buchen/bucht * ab * gekündigt/storniert
        abbuchung/rechnung/forderung/mahnung widersprechen
        geld/rückzahlung/erstattung/gutschrift * immer * nicht
        unberechtigte/unautorisierte/unbefugte/unerlaubte/unbekannte/ungerechtfertigte abbuchung/buchung/zahlung/lastschrift/forderung/kosten/gebühr
        nicht * autorisiert/genehmigt * abbuchung/buchung/zahlung
        abbuchung/buchung/zahlung * nicht * autorisiert/genehmigt/veranlasst
        will/möchte/verlange/fordere/wollen/brauche * geld * zurück/wieder
        wann * endlich * geld/erstattung/rückzahlung/gutschrift
        nicht/kein/keine * mein/meine * geld/erstattung/rückzahlung/gutschrift * erhalten/bekommen
        erkenne * abbuchung/buchung/zahlung/rechnung/forderung * nicht
        geld zurück =
        wo * bleibt * geld/rückzahlung/erstattung/gutschrift
        immer noch * geld/rückzahlung/erstattung/gutschrift * nicht/keine
        verlange/fordere/bestehe * rückzahlung/rückerstattung/erstattung/gutschrift
        lasse/lassen/werde * zurückbuchen
        rechnung * falsch/überhöht/unberechtigt/ungerechtfertigt
        rechnung * stimmt nicht
        rechnung ist * hoch/fehlerhaft
        falsche/überhöhte/unberechtigte * rechnung
        widerspreche * rechnung/forderung/mahnung/abbuchung
        rechnung/mahnung/forderung * unberechtigt/widersprechen
        inkasso/inkassobüro/inkassounternehmen/mahnbescheid
        zahle/bezahle ich nicht
        betrogen
    """,
    (Matter.PAYMENT_DISPUTE, Language.ENGLISH): """
        charged/billed/debited/invoiced/paid * twice/double/wrongly/incorrectly
        twice/double/wrongly/incorrectly * charged/billed/debited
        overcharged/overcharging
        charged/billed/charging/billing me/us * much/again/wrong/anyway
        charged/billed/debited * without * permission/consent/authorisation/authorization/asking/knowledge/telling
        after * cancelled/canceled/cancelling/cancellation * charged/billed/debited
        bill/billing/charge/charging/debit me * after/although/though * cancelled/canceled
        still * charged/billed/debited/charging/billing * cancelled/canceled
        unauthorised/unauthorized/fraudulent/unexplained/unjustified/unrecognised/unrecognized charge/payment/transaction/debit/withdrawal/fee/invoice
        charge/payment/transaction/debit * i * didnt/not/never * authorise/authorize/approve/make/agree/order
        dispute/disputing/contest a/the/this/my/your * charge/payment/invoice/bill/transaction/fee
        chargeback
        want/demand/give/need/where * money back
        took/taken/take/taking * from my/our account/card
        want/demand/insist/expect/owe/owed my/a/an/full * refund
        demand/insist on * refund
        refund me/us
        where is my refund/money
        still * not/no/havent/hasnt/waiting/never * refund/refunded/reimbursed
        never/not/havent/hasnt received/got/gotten * refund
        invoice/bill/charge is/was * wrong/incorrect/high/false
        wrong/incorrect/false/inflated invoice/bill/charge
        wrong amount * charged/debited/billed/invoice/bill/account
        charged/debited/billed * wrong amount
        stole/stolen * money
        my/the invoice/bill is/are wrong
        dont/didnt recognise/recognize * charge/payment/transaction
        debt collector/collection/collectors
        collection agency
        refuse/refusing/not to pay
    """,
    (Matter.DATA_PROTECTION, Language.GERMAN): """
        auskunft/kopie * dsgvo/daten
        auskunft * über * daten/gespeichert
        auskunft * gespeichert/personenbezogen
        nach/gemäß/laut/art/artikel * dsgvo
        art/artikel 15/16/17/18/20/21
        dsgvo anfrage/auskunft/löschung/antrag/beschwerde/verstoß
        selbstauskunft/datenauskunft/datenlöschung/datenauskunftsersuchen
        auskunftsrecht/löschungsanspruch/auskunftsanspruch
        welche * daten * über mich/uns
        welche * daten * mir/mich * gespeichert/speichern
        was * über mich/uns * gespeichert/speichern
        verlange/fordere/beantrage/hiermit/bestehe * daten
        löschen sie * meine/alle/sämtliche/unsere * daten
        löscht * meine/alle/sämtliche/unsere * daten
        dass sie/ihr * daten * löschen/herausgeben/sperren
        antrag auf * daten/datenlöschung/löschung/auskunft
        löschung * meiner/unserer/aller/sämtlicher * daten/personenbezogen
        recht auf * löschung/auskunft/vergessenwerden/berichtigung/datenübertragbarkeit
        recht * vergessen zu werden
        datenschutzbeauftragter/datenschutzbeauftragte/datenschutzbeauftragten
        datenschutzverstoß/datenschutzverletzung/datenleck/datenpanne/datendiebstahl
        datenschutzbehörde/landesdatenschutzbeauftragter/datenschutzaufsicht
        widerspreche/widersprechen * verarbeitung/nutzung/weitergabe/speicherung/verwendung * daten
        widerrufe/widerrufen * einwilligung/einverständnis
        daten * ohne * einwilligung/zustimmung/erlaubnis * weitergegeben/verkauft/weitergeben/verkaufen
        daten * weitergegeben/verkauft/missbraucht/gestohlen/geleakt
    """,
    (Matter.DATA_PROTECTION, Language.ENGLISH): """
        gdpr/dsgvo request/complaint/access/deletion/erasure/violation/breach
        under/per * gdpr
        subject access request
        delete/erase/remove/wipe all/everything * my/our * data * from/in/on * your
        data access/subject/deletion/erasure request
        dsar
        article 15/16/17/18/20/21
        please/you/to/must/demand delete/erase/remove/wipe all * my/our * data/information
        please delete/erase/remove/wipe * my/our * data/information
        you to delete/erase/destroy * everything/anything/all * me/stored
        want/demand/expect/require/ask/asking you to * delete/erase/remove/destroy * data/information
        request/requesting/demand/demanding * deletion/erasure/removal of * data/information
        request/requesting/demand/demanding * access/copy * my * data
        right to be forgotten
        right to/of erasure/access/deletion/rectification/portability
        what/which * data/information do/does * have/hold/store/keep/stored * about/on me/us
        all * data/information you/your/company have/hold/store/keep * about/on me/us
        data/information * you/company have/hold/store/keep about/on me/us
        send/give/provide/want/need/receive * copy of all/my * personal/data
        data protection officer/authority/commissioner/complaint
        data breach/leak
        my/our * data/information was/were/been/got * leaked/breached/sold/stolen/shared
        withdraw/withdrawing/revoke * consent
        object to * processing
        information commissioner
    """,
    (Matter.LEGAL, Language.GERMAN): """
        mein/meine/meinem/meiner/unser/unsere/unserem * anwalt/anwältin/rechtsanwalt/rechtsanwältin/anwaltskanzlei
        anwalt/anwältin/rechtsanwalt/rechtsanwältin/anwaltskanzlei/rechtsbeistand * einschalten/beauftragen/nehmen/eingeschaltet/beauftragt/übergeben/wenden/hinzuziehen/gehen
        zum/zu/über/durch * anwalt/anwältin/rechtsanwalt
        rechtlich * schritt/vorgehen/mittel/konsequenz
        juristisch * schritt/vorgehen/konsequenz
        juristisch/rechtlich * nachspiel/beistand
        rechtsweg/anwaltsschreiben/rechtsschutz/rechtsschutzversicherung/rechtsstreit
        verklage ich
        verklage/verklagen sie/euch/ihr/ihre
        sie/euch/firma/unternehmen/laden * verklagen
        vor gericht
        klage einreichen/erheben/einlegen
        reiche/erhebe * klage
        anzeige erstatten/erstatte
        erstatte/stelle * anzeige/strafanzeige
        strafanzeige
        zeige sie/euch * an
        abmahnung/abmahnen/unterlassungserklärung
        verbraucherzentrale/verbraucherschutz/verbraucherschützer/schlichtungsstelle/bundesnetzagentur
        schadensersatz/schadenersatz/schmerzensgeld
        setze * frist
        letzte * frist
        einstweilige verfügung
    """,
    (Matter.LEGAL, Language.ENGLISH): """
        my/our * lawyer/attorney/solicitor/barrister
        will/going/gonna/have/shall/must/already/ill/am * contact/contacting/hire/hired/hiring/involve/involving/get/consult/consulting/see/instruct/instructed * lawyer/attorney/solicitor
        lawyer/attorney/solicitor will
        legal action/proceedings/steps/measures/remedies/notice
        take/taking/pursue * legal
        seek/seeking/seeked/sought/took/getting/get * legal * advice/help/counsel
        sue you/your/them/the company
        will/gonna/to/ill sue
        suing you/your
        see you in court
        take/taking you/your/this/them * to court
        small claims
        file/filing/bring a * lawsuit/suit
        lawsuit against
        cease and desist
        trading standards
        consumer protection/rights agency/authority/office/organisation/organization/bureau
        ombudsman/ombudsperson
        better business bureau
        press charges
        criminal complaint/charges
        report you/your company to * police/authorities/authority/regulator
        claim/claiming/seek/seeking * damages
        breach of * contract
    """,
    (Matter.DANGER, Language.GERMAN): """
        habe/bin/wurde/wurden/ist/sind/hat/haben * verletzt
        mich/uns/kind/sohn/tochter/frau/mann/mutter/vater * verletzt/verbrannt
        schwer/stark verletzt
        unfall/sturz/gestürzt * gebrochen/bruch/bewusstlos/blutet/gehirnerschütterung
        mir * gebrochen
        brennt * akku/batterie/gerät/ladegerät/rad/fahrrad
        akku/batterie/gerät/ladegerät/rad/fahrrad/bike * brennt/qualmt/raucht/explodiert/glüht/schmort
        akku/batterie/gerät/ladegerät/rad/fahrrad/bike * feuer gefangen
        explodiert/explosion
        stromschlag/verbrennung/rauchentwicklung
        gas geruch
        es riecht nach gas
        lebensgefahr/lebensgefährlich
        bedroht/bedrohen/bedrohung * mich/uns/mein
        mich/uns * bedroht/gestalkt/geschlagen
        bring/bringe/bringen/mache/töte * dich/euch/sie * um/fertig/alle
        ich/mich/wir/sohn/tochter/frau/mann/mutter/vater/kind * krankenhaus/notaufnahme
        unfall * krankenhaus/notaufnahme
        rauch/qualm/flammen/funken * akku/batterie/gerät/ladegerät/rad/fahrrad
        akku/batterie/gerät/ladegerät/rad/fahrrad * rauch/qualm/flammen/funken
    """,
    (Matter.DANGER, Language.ENGLISH): """
        am/was/were/been/got/im badly/seriously/severely/slightly injured/hurt/burned/burnt
        am/was/were/been/got/im injured/hurt
        i/he/she/we/got/were burned/burnt
        injured/hurt/burned/burnt my/our * child/son/daughter/hand/leg/arm/head/face/wife/husband/mother/father/finger/knee/back
        my/our * child/son/daughter/wife/husband/mother/father * injured/hurt/burned/burnt
        caught/catching/on fire
        broke/broken my * wrist/arm/leg/hand/foot/ankle/nose/collarbone/rib/finger/elbow/hip
        smoke/smoking/sparks/flames * from/out
        is/was/started smoking/sparking/exploding/melting
        battery/charger/bike/device * exploded/burning/smoking/smoke/fire/melted/sparks
        exploded/explosion
        got/gave/had/received an/me/a * electric shock
        smell/smells/smelling * gas/burning/smoke
        life threatening
        threatened/threatening/stalking me/us/my
        kill you/him/her/them/everyone
        going to hurt you/him/her/them/someone
        taken to * hospital
    """,
    (Matter.SELF_HARM, Language.GERMAN): """
        mich/mir * umbringen/umzubringen/umbringe/töten/erhängen/erschießen
        bringe/bring mich * um
        selbstmord/suizid/suizidal/selbsttötung/freitod/suizidgedanken/selbstmordgedanken
        nicht mehr leben/weiterleben
        mein/dem * leben * ende/beenden
        leben * ende setzen/machen
        mir * leben nehmen
        mir * etwas/was * antun/anzutun
        mich ritzen/ritze
        mich selbst verletzen/verletze
        selbstverletzung
        möchte/will/lieber * sterben
        keinen/kein * sinn * leben
        leben * keinen/kein * sinn
        nicht mehr * da sein
    """,
    (Matter.SELF_HARM, Language.ENGLISH): """
        kill/killing/hang/shoot myself
        suicide/suicidal
        end/ending/take/taking my * life
        end it all
        want/wanna/going/wish * die
        want/wish * to be dead
        wish i was/were dead
        better off dead
        hurt/hurting/harm/harming/cut/cutting myself
        self harm/injury/harming
        dont/not want to live
        no reason/point * live/living
        cant/cannot go on
    """,
}


def first_phrases() -> list[Phrase]:
    found = []
    for (matter, language), block in _PHRASES.items():
        for line in block.strip().splitlines():
            words = line.split()
            found.append(
                Phrase(
                    matter=matter.value,
                    language=language.value,
                    text=" ".join(word for word in words if word not in (_ALONE, _EXCEPTION)),
                    only_alone=_ALONE in words,
                    is_exception=_EXCEPTION in words,
                )
            )
    return found
